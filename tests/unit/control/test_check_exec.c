/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type exec, of commands that behave and of all the others. */
#include <dirent.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_bed.h"
#include "process.h"
#include "unit.h"

static const char *user = "nobody";
static char *words[] = { (char *)"/bin/sh", (char *)"-c", NULL };

static struct check exec(const char *script)
{
	words[2] = (char *)script;
	return (struct check){ .type = CHECK_EXEC, .command = { words, 3 }, .user = (char *)user };
}

static struct check_verdict run(const char *script, uint32_t timeout_ms)
{
	struct check check = exec(script);

	return check_bed_make(&check, 80, timeout_ms);
}

static void test_status(void)
{
	SUCCEEDS(run("exit 0", BED_LONG_MS));
	SUCCEEDS(run("echo all is well", BED_LONG_MS));
	FAILS_ANSWERED(run("exit 1", BED_LONG_MS), "exit status 1");
	FAILS_ANSWERED(run("echo; echo '  no disk left  '; echo more; exit 3", BED_LONG_MS), "no disk left   (exit status 3)");
	FAILS_ANSWERED(run("echo to standard error >&2; exit 2", BED_LONG_MS), "to standard error (exit status 2)");
	FAILS_ANSWERED(run("kill -KILL $$", BED_LONG_MS), "ended by signal 9 (Killed)");
	FAILS_ANSWERED(run("echo dying; kill -SEGV $$", BED_LONG_MS), "ended by signal 11 (Segmentation fault): dying");
	FAILS_ANSWERED(run("printf 'a\\tb\\001c\\303\\244\\303d\\n'; exit 1", BED_LONG_MS), "a?b?c\303\244?d (exit status 1)");
}

static void test_weight(void)
{
	struct check check = exec("exit 102");
	struct check_verdict v;

	FAILS_ANSWERED(check_bed_make(&check, 80, BED_LONG_MS), "exit status 102");
	check.dynamic_weight = true;
	v = check_bed_make(&check, 80, BED_LONG_MS);
	SUCCEEDS(v);
	CU_ASSERT_EQUAL(v.weight, 100);
	words[2] = (char *)"exit 2";
	CU_ASSERT_EQUAL(check_bed_make(&check, 80, BED_LONG_MS).weight, 0);
	words[2] = (char *)"exit 255";
	CU_ASSERT_EQUAL(check_bed_make(&check, 80, BED_LONG_MS).weight, 253);
	words[2] = (char *)"exit 0";
	v = check_bed_make(&check, 80, BED_LONG_MS);
	SUCCEEDS(v);
	CU_ASSERT_EQUAL(v.weight, -1);
	words[2] = (char *)"exit 1";
	CU_ASSERT_EQUAL(check_bed_make(&check, 80, BED_LONG_MS).outcome, CHECK_FAILED);
	words[2] = (char *)"kill -KILL $$";
	CU_ASSERT_EQUAL(check_bed_make(&check, 80, BED_LONG_MS).outcome, CHECK_FAILED);
}

static void test_surroundings(void)
{
	struct check_verdict v = run("echo $SHUNT_POOL $SHUNT_BACKEND $SHUNT_ADDRESS $SHUNT_PORT $SHUNT_TIMEOUT_MS $HOME; exit 1", BED_LONG_MS);
	char expected[128];
	struct passwd *entry = getpwnam(user);

	FAILS_ANSWERED(v, "web 127.0.0.1 127.0.0.1 80 20000 (exit status 1)");
	/* Its user and group and no other group, its own session, no descriptor but three, nothing to read, no signal held. */
	snprintf(expected, sizeof(expected), "%u %u %u (exit status 1)", entry->pw_uid, entry->pw_gid, entry->pw_gid);
	FAILS_ANSWERED(run("echo $(id -u) $(id -g) $(id -G); exit 1", BED_LONG_MS), expected);
	FAILS_ANSWERED(run("set -- $(cut -d' ' -f1,5,6 /proc/$$/stat); test $1 = $2 -a $1 = $3 && echo yes; exit 1", BED_LONG_MS),
		"yes (exit status 1)");
	FAILS_ANSWERED(run("ls /proc/self/fd | tr '\\n' ' '; exit 1", BED_LONG_MS), "0 1 2 3  (exit status 1)"); /* 3: the folder */
	FAILS_ANSWERED(run("cat; echo $(grep -E 'Sig(Blk|Ign)' /proc/$$/status); pwd; exit 1", BED_LONG_MS),
		"SigBlk: 0000000000000000 SigIgn: 0000000000000000 (exit status 1)");
	FAILS_ANSWERED(run("pwd; exit 1", BED_LONG_MS), "/ (exit status 1)");
}

static void test_unmade(void)
{
	struct check check = exec("exit 0");
	struct check_verdict v;

	check.user = (char *)"no-such-user";
	v = check_bed_make(&check, 80, BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT_STRING_EQUAL(v.why, "there is no user \"no-such-user\"");
	check.user = (char *)user;
	words[0] = (char *)"/no/such/program";
	v = check_bed_make(&check, 80, BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT_STRING_EQUAL(v.why, "/no/such/program: No such file or directory");
	words[0] = (char *)"/etc/passwd";
	v = check_bed_make(&check, 80, BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT_STRING_EQUAL(v.why, "/etc/passwd: Permission denied");
	words[0] = (char *)"/bin/sh";
}

/* How many processes have this among their arguments. */
static int count(const char *mark)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], line[4096];
	int n = 0;

	while ((entry = readdir(proc))) {
		FILE *file;
		size_t size;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || atoi(entry->d_name) == getpid() || !(file = fopen(path, "r")))
			continue;
		size = fread(line, 1, sizeof(line) - 1, file);
		fclose(file);
		if (memmem(line, size, mark, strlen(mark)))
			n++;
	}
	closedir(proc);
	return n;
}

/* Killed ones are gone after a moment. */
static int count_after_a_moment(const char *mark)
{
	int n = 0;

	for (int i = 0; i < 3000; i++) {
		n = count(mark);
		if (n == 0)
			break;
		usleep(10000);
		event_base_loop(bed_base, EVLOOP_NONBLOCK);
	}
	return n;
}

static void test_hangs(void)
{
	char script[256], mark[64];
	struct check_verdict v;

	snprintf(mark, sizeof(mark), "60.%d", getpid());
	snprintf(script, sizeof(script), "sleep %s", mark);
	v = run(script, 100);
	FAILS_ANSWERED(v, "killed: not done within 100ms");
	CU_ASSERT(v.ms < 15000);
	/* One that does not want to be stopped, and has children. */
	snprintf(script, sizeof(script), "trap '' TERM INT HUP; sleep %s & sleep %s & sleep %s; wait", mark, mark, mark);
	FAILS_ANSWERED(run(script, 100), "killed: not done within 100ms");
	/* One that is done while its child still has the pipe. */
	snprintf(script, sizeof(script), "sleep %s & exit 0", mark);
	v = run(script, BED_LONG_MS);
	SUCCEEDS(v);
	CU_ASSERT(v.ms < 15000);
	CU_ASSERT_EQUAL(count_after_a_moment(mark), 0);
}

/* What makes itself a daemon is not waited for, however it holds on to what it got. */
static void test_daemon(void)
{
	char script[256];
	struct check_verdict v;

	snprintf(script, sizeof(script), "setsid sleep 60.%d & sleep 0.05; exit 0", getpid());
	v = run(script, BED_LONG_MS);
	SUCCEEDS(v);
	CU_ASSERT(v.ms < 15000);
}

static void test_fork_bomb(void)
{
	char script[256], mark[64];

	/* Bounded, should this test fail. */
	snprintf(mark, sizeof(mark), "30.%d", getpid());
	snprintf(script, sizeof(script), "for i in 1 2 3 4 5 6 7 8; do (for k in 1 2 3 4 5 6 7 8; do sleep %s & done; wait) & done; wait",
		mark);
	FAILS_ANSWERED(run(script, 300), "killed: not done within 300ms");
	CU_ASSERT_EQUAL(count_after_a_moment(mark), 0);
}

static void test_flood(void)
{
	struct check_verdict v = run("yes", BED_LONG_MS);

	FAILS_ANSWERED(v, "killed: more than 1024 KiB of output");
	CU_ASSERT(v.ms < 15000);
	SUCCEEDS(run("head -c 500000 /dev/zero | tr '\\0' x; exit 0", BED_LONG_MS));
	v = run("head -c 500000 /dev/zero | tr '\\0' x; exit 1", BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	CU_ASSERT(strlen(v.why) > 100 && strlen(v.why) < 300);
}

static void test_many(void)
{
	struct check_verdict v[50];
	struct check check = exec("exit 0"), slow = exec("exec sleep 60");
	struct check_target target = check_bed_target(80);
	int before = check_bed_descriptors();

	for (int i = 0; i < 20; i++) {
		memset(v, 0, sizeof(v));
		for (int k = 0; k < 50; k++) {
			struct check_run *begun;

			words[2] = k % 5 ? (char *)"exit 0" : (char *)"exec sleep 60";
			begun = check_begin(bed_checker, k % 5 ? &check : &slow, &target, k % 5 ? BED_LONG_MS : 50, check_bed_note, &v[k]);
			if (k % 7 == 0)
				check_cancel(begun);
		}
		for (int k = 0; k < 50; k++) {
			if (k % 7 == 0)
				continue;
			check_bed_await(&v[k]);
			CU_ASSERT_EQUAL(v[k].outcome, k % 5 ? CHECK_SUCCEEDED : CHECK_FAILED);
		}
	}
	for (int i = 0; i < 3000 && check_bed_descriptors() > before; i++) {
		usleep(10000);
		event_base_loop(bed_base, EVLOOP_NONBLOCK);
	}
	CU_ASSERT_EQUAL(check_bed_descriptors(), before);
	/* No zombie. */
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

struct note {
	bool over;
	struct process_end end;
	char output[PROCESS_OUTPUT + 1];
};

static void note_end(void *context, const struct process_end *end)
{
	struct note *note = context;

	note->over = true;
	note->end = *end;
	strcpy(note->output, end->output);
}

/* As the hook has it: a limit of its own, ourselves as its user. */
static void test_process(void)
{
	struct processes *processes = processes_open(bed_base, BED_PRIORITY);
	char *command[] = { (char *)"/bin/sh", (char *)"-c", (char *)"echo $NAME; exec sleep 30", NULL };
	char *environment[] = { (char *)"NAME=value", (char *)"PATH=/bin:/usr/bin", NULL };
	struct process_wish wish = { .command = command, .environment = environment, .timeout_ms = 200 };
	struct note note = { .over = false };
	struct error error;
	pid_t left = 0;

	/* It may be ended before it has said anything. */
	for (; !*note.output && wish.timeout_ms <= 12800; wish.timeout_ms *= 2) {
		note.over = false;
		CU_ASSERT_PTR_NOT_NULL_FATAL(process_start(processes, &wish, note_end, &note, &error));
		while (!note.over)
			event_base_loop(bed_base, EVLOOP_ONCE);
		CU_ASSERT(note.end.timed_out);
	}
	CU_ASSERT(WIFSIGNALED(note.end.status) && WTERMSIG(note.end.status) == SIGKILL);
	CU_ASSERT_STRING_EQUAL(note.output, "value\n");
	/* Closed while it runs: waited for, where the kernel ends it within the second that this takes. */
	for (int i = 0; i < 5 && left != -1; i++) {
		if (i > 0) {
			while (waitpid(-1, NULL, 0) > 0)
				;
			processes = processes_open(bed_base, BED_PRIORITY);
		}
		note.over = false;
		CU_ASSERT_PTR_NOT_NULL_FATAL(process_start(processes, &wish, note_end, &note, &error));
		processes_close(processes);
		CU_ASSERT_FALSE(note.over);
		left = waitpid(-1, NULL, WNOHANG);
	}
	CU_ASSERT_EQUAL(left, -1);
	processes_close(NULL);
}

/* Started by somebody who had SIGCHLD ignored, and without standard input, output and error. */
static void test_odd_start(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct check_verdict v;

		signal(SIGCHLD, SIG_IGN);
		for (int i = 0; i < 3; i++)
			close(i);
		check_bed_up();
		if (run("exit 0", BED_LONG_MS).outcome != CHECK_SUCCEEDED)
			_exit(1);
		v = run("read x; echo $x says; exit 3", BED_LONG_MS);
		if (strcmp(v.why, "says (exit status 3)"))
			_exit(2);
		_exit(check_bed_down() ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
}

static void test_down(void)
{
	struct check check = exec("exec sleep 30");
	struct check_target target = check_bed_target(80);

	for (int i = 0; i < 3; i++)
		check_begin(bed_checker, &check, &target, 1000, check_bed_note, NULL);
	CU_ASSERT_EQUAL(check_bed_down(), 0);
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "exit statuses", test_status },
		{ "weights", test_weight },
		{ "what a command finds", test_surroundings },
		{ "our own trouble is no verdict", test_unmade },
		{ "hangs", test_hangs },
		{ "makes itself a daemon", test_daemon },
		{ "forks", test_fork_bomb },
		{ "floods its output", test_flood },
		{ "a thousand", test_many },
		{ "processes by themselves", test_process },
		{ "started oddly", test_odd_start },
		{ "closed while they run", test_down },
		{ NULL, NULL },
	};

	if (geteuid() != 0)
		user = getpwuid(geteuid())->pw_name;
	check_bed_up();
	return unit_run("check_exec", tests);
}
