/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a command becomes a process: between vfork() and execve(), in our own memory, while we wait. So it costs the
 * same however large we are; and what is done there must be no more than system calls.
 */
#include "process_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS 64
#define USER_BUFFER 4096
#define DESCRIPTORS 1024 /* its limit: programs that close all that there may be have not as many to close as we */

/* What the child is to do, and where it failed. */
struct birth {
	const struct process_wish *wish;
	int output;
	bool switch_user;
	uid_t uid;
	gid_t gid;
	volatile int error; /* errno; 0: it has become the command */
	const char *volatile step;
};

/* The user's numbers. Needs not be us: then it can only be done by root. */
static int find_user(const char *name, struct birth *birth, struct error *error)
{
	char buffer[USER_BUFFER];
	struct passwd entry, *found = NULL;
	int err;

	if (!name)
		return 0;
	err = getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
	if (!found)
		return error_set(error, err ? err : ENOENT, err ? "user \"%s\": %s" : "there is no user \"%s\"", name,
			strerror(err));
	birth->uid = entry.pw_uid;
	birth->gid = entry.pw_gid;
	birth->switch_user = geteuid() == 0 || entry.pw_uid != geteuid();
	return 0;
}

/* System calls, not the C library's functions, which would have all threads of the process change: ours, as it is. */
static int become_user(const struct birth *birth)
{
	if (!birth->switch_user)
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, birth->gid, birth->gid, birth->gid) < 0 ||
		syscall(SYS_setresuid, birth->uid, birth->uid, birth->uid) < 0)
		return -1;
	return 0;
}

static void usual_signals(void)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i <= SIGNALS; i++)
		sigaction(i, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int usual_descriptors(const struct birth *birth)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(birth->output, STDOUT_FILENO) < 0 ||
		dup2(birth->output, STDERR_FILENO) < 0)
		return -1;
	/* dup2() onto itself leaves the flag: where we have no standard input, null is 0. */
	fcntl(STDIN_FILENO, F_SETFD, 0);
	return close_range(STDERR_FILENO + 1, ~0u, 0);
}

static void usual_limits(void)
{
	struct rlimit files, no_core = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > DESCRIPTORS) {
		files.rlim_cur = DESCRIPTORS;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &no_core);
}

__attribute__((noinline, noreturn)) static void be_born(struct birth *birth)
{
	birth->step = "a session of its own";
	if (setsid() < 0)
		goto failed;
	umask(022);
	usual_limits();
	birth->step = "its standard input and output";
	if (usual_descriptors(birth) < 0)
		goto failed;
	birth->step = birth->wish->user;
	if (become_user(birth) < 0)
		goto failed;
	birth->step = "/";
	if (chdir("/") < 0)
		goto failed;
	/* If we are killed, it is. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	usual_signals();
	birth->step = birth->wish->command[0];
	execve(birth->wish->command[0], birth->wish->command, birth->wish->environment);
failed:
	birth->error = errno;
	_exit(127);
}

pid_t process_spawn(const struct process_wish *wish, int output, struct error *error)
{
	struct birth birth = { .wish = wish, .output = output };
	sigset_t all, before;
	pid_t pid;
	int err = find_user(wish->user, &birth, error);

	if (err < 0)
		return err;
	/* No handler of ours may run in the child, in our memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		be_born(&birth);
	err = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return error_set(error, err, "no new process: %s", strerror(err));
	if (!birth.error)
		return pid;
	waitpid(pid, NULL, 0);
	return error_set(error, birth.error, "%s: %s", birth.step, strerror(birth.error));
}
