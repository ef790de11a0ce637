/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, finding and removing pins. */
#include "xdp_pin.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINK "link"
#define LINK_NEW "link-new"
#define CURRENT "current"
#define LEAD_NEW "lead-new"
#define ALLMULTICAST "allmulticast"
#define SET "set-"
#define LOCK_TRIES 10

const char *const xdp_map_names[XDP_MAPS] = {
	[XDP_MAP_CONTROL] = "control",
	[XDP_MAP_CPUS] = "cpus",
	[XDP_MAP_SNAPSHOT] = "snapshot",
	[XDP_MAP_FLOWS] = "flows",
	[XDP_MAP_ELDER] = "elder",
	[XDP_MAP_VIP_STATS] = "vip_stats",
	[XDP_MAP_BACKEND_STATS] = "backend_stats",
	[XDP_MAP_HANDSHAKES] = "handshakes",
	[XDP_MAP_GUARD] = "guard",
	[XDP_MAP_RULES] = "rules",
	[XDP_MAP_ACTIVE] = "active",
	[XDP_MAP_FRAGMENTS] = "fragments",
	[XDP_MAP_OUT] = "out",
	[XDP_MAP_HELD] = "held",
	[XDP_MAP_XSKS] = "xsks",
	[XDP_MAP_OWNERS] = "owners",
};

/* first/second into path[PATH_MAX]; one too long becomes "", which names nothing. */
static const char *join(char *path, const char *first, const char *second)
{
	if (snprintf(path, PATH_MAX, "%s/%s", first, second) >= PATH_MAX)
		*path = '\0';
	return path;
}

int xdp_pin_init(struct xdp_pins *pins, const char *root, const char *interface, struct error *error)
{
	char name[IFNAMSIZ];

	*pins = (struct xdp_pins){ .lock = -1 };
	if (strlen(interface) >= IFNAMSIZ || !*interface || strchr(interface, '/'))
		return error_set(error, EINVAL, "\"%s\" can't be the name of an interface", interface);
	strcpy(pins->interface, interface);
	strcpy(name, interface);
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = ':';
	if (strlen(root) >= sizeof(pins->root) - 64 || *root != '/')
		return error_set(
			error, EINVAL, "xdp.pin: \"%s\" can't be a folder: an absolute path is needed", root);
	strcpy(pins->root, root);
	for (size_t n = strlen(pins->root); n > 1 && pins->root[n - 1] == '/'; n--)
		pins->root[n - 1] = '\0';
	join(pins->folder, pins->root, name);
	return 0;
}

static int make_folder(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/*
 * Make the root with the folders above it that are missing, if what is there is on a BPF file system.
 * Nothing is mounted from here: see xdp_open().
 */
static int make_root(const struct xdp_pins *pins, struct error *error)
{
	char path[PATH_MAX], *slash;
	struct statfs fs;
	int result = 0;

	strcpy(path, pins->root);
	while (statfs(path, &fs)) {
		slash = strrchr(path, '/');
		if (errno != ENOENT || !slash || slash == path)
			return error_set(error, errno, "xdp.pin: %s: %s", pins->root, strerror(errno));
		*slash = '\0';
	}
	if ((unsigned int)fs.f_type != BPF_FS_MAGIC)
		return error_set(error, ENOTSUP,
			"xdp.pin: %s is not on a BPF file system: mount one (mount -t bpf bpf /sys/fs/bpf), or "
			"set xdp.pin to a "
			"folder on one",
			pins->root);
	for (size_t at = strlen(path); !result && at < strlen(pins->root); at = strlen(path)) {
		const char *next = strchr(pins->root + at + 1, '/');

		snprintf(path, sizeof(path), "%.*s", next ? (int)(next - pins->root) : (int)strlen(pins->root),
			pins->root);
		result = make_folder(path);
	}
	if (result)
		return error_set(error, -result, "xdp.pin: %s can't be made: %s%s", path, strerror(-result),
			strchr(strrchr(path, '/'), '.') ? " (a BPF file system has no names with dots)" : "");
	return 0;
}

/* Whether the locked folder still is the one of this name: who ended before us may have removed it meanwhile. */
static bool is_still(const char *path, int fd)
{
	struct stat by_name, by_fd;

	return !stat(path, &by_name) && !fstat(fd, &by_fd) && by_name.st_ino == by_fd.st_ino &&
		by_name.st_dev == by_fd.st_dev;
}

/* Open and lock the folder. 0; -ENOENT: there is none, or it went meanwhile; else -errno and *error. */
static int lock_folder(struct xdp_pins *pins, struct error *error)
{
	int fd = open(pins->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return error_set(error, errno, "xdp.pin: %s: %s", pins->folder, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		result = error_set(error, EBUSY,
			"another shuntd has the XDP program of interface %s (%s): stop that one, or give this one "
			"another xdp.pin",
			pins->interface, pins->folder);
	} else if (!is_still(pins->folder, fd)) {
		result = error_set(error, ENOENT, "xdp.pin: %s comes and goes", pins->folder);
	} else {
		pins->lock = fd;
		return 0;
	}
	close(fd);
	return result;
}

int xdp_pin_lock_there(struct xdp_pins *pins, struct error *error)
{
	return pins->lock >= 0 ? 0 : lock_folder(pins, error);
}

int xdp_pin_lock(struct xdp_pins *pins, struct error *error)
{
	int result = pins->lock >= 0 ? 0 : -ENOENT;

	for (int tries = 0; result == -ENOENT && tries < LOCK_TRIES; tries++) {
		result = make_root(pins, error);
		if (result)
			return result;
		result = make_folder(pins->folder);
		if (result)
			return error_set(
				error, -result, "xdp.pin: %s can't be made: %s", pins->folder, strerror(-result));
		result = lock_folder(pins, error);
	}
	return result;
}

void xdp_pin_unlock(struct xdp_pins *pins)
{
	if (pins->lock < 0)
		return;
	/* Both fail, as they should, where anything is left in them. */
	if (!rmdir(pins->folder))
		rmdir(pins->root);
	close(pins->lock);
	pins->lock = -1;
}

/* An XDP link by its pin's name: as xdp_pin_get_link(). */
static int open_link(const struct xdp_pins *pins, const char *name, uint32_t *program_id, unsigned int *index)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);
	char path[PATH_MAX];
	int fd = bpf_obj_get(join(path, pins->folder, name));

	if (fd < 0)
		return fd;
	/* A map or program of this name answers with something else, if at all. */
	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != BPF_LINK_TYPE_XDP || !info.prog_id) {
		close(fd);
		return -EINVAL;
	}
	*program_id = info.prog_id;
	*index = info.xdp.ifindex;
	return fd;
}

int xdp_pin_get_link(const struct xdp_pins *pins, uint32_t *program_id, unsigned int *index)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	int fd = open_link(pins, LINK_NEW, program_id, index);

	/* One that a crash kept from its name: it is the newer, and the one that is attached. */
	if (fd >= 0) {
		close(fd);
		rename(join(temporary, pins->folder, LINK_NEW), join(path, pins->folder, LINK));
	}
	return open_link(pins, LINK, program_id, index);
}

int xdp_pin_put_link(const struct xdp_pins *pins, int link)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	int result;

	join(temporary, pins->folder, LINK_NEW);
	unlink(temporary);
	result = bpf_obj_pin(link, temporary);
	if (!result && rename(temporary, join(path, pins->folder, LINK))) {
		result = -errno;
		unlink(temporary);
	}
	return result;
}

static const char *set_folder(const struct xdp_pins *pins, uint32_t program_id, char *path)
{
	char name[32];

	snprintf(name, sizeof(name), SET "%u", program_id);
	return join(path, pins->folder, name);
}

const char *xdp_pin_path(const struct xdp_pins *pins, uint32_t program_id, const char *name, char *path)
{
	char folder[PATH_MAX];

	return join(path, set_folder(pins, program_id, folder), name);
}

/* Remove a folder with the pins in it, or a single pin or name. */
static void remove_tree(const char *path)
{
	DIR *folder = unlink(path) ? opendir(path) : NULL;
	struct dirent *entry;
	char inside[PATH_MAX];

	while (folder && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlink(join(inside, path, entry->d_name));
	if (!folder)
		return;
	closedir(folder);
	rmdir(path);
}

int xdp_pin_put_set(const struct xdp_pins *pins, const struct xdp_set *set)
{
	char folder[PATH_MAX], path[PATH_MAX];
	int result;

	/* Ids are given out anew after some time: one of this name can only be a leftover. */
	remove_tree(set_folder(pins, set->program_id, folder));
	result = make_folder(folder);
	if (!result)
		result = bpf_obj_pin(set->program, join(path, folder, XDP_PIN_PROGRAM));
	for (int i = 0; !result && i < XDP_MAPS; i++)
		result = bpf_obj_pin(set->fd[i], join(path, folder, xdp_map_names[i]));
	if (result)
		remove_tree(folder);
	return result;
}

void xdp_pin_drop_set(const struct xdp_pins *pins, uint32_t program_id)
{
	char folder[PATH_MAX];

	remove_tree(set_folder(pins, program_id, folder));
}

/* A symbolic link over one that is there. */
static int lead(const char *target, const char *folder, const char *name)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	int result = 0;

	join(temporary, folder, LEAD_NEW);
	unlink(temporary);
	if (symlink(target, temporary) || rename(temporary, join(path, folder, name))) {
		result = -errno;
		unlink(temporary);
	}
	return result;
}

int xdp_pin_name_set(const struct xdp_pins *pins, uint32_t program_id)
{
	char target[64];
	int result;

	snprintf(target, sizeof(target), SET "%u", program_id);
	result = lead(target, pins->folder, CURRENT);
	for (int i = 0; !result && i < XDP_MAPS; i++) {
		snprintf(target, sizeof(target), CURRENT "/%s", xdp_map_names[i]);
		result = lead(target, pins->folder, xdp_map_names[i]);
	}
	return result;
}

int xdp_pin_mark_multicast(const struct xdp_pins *pins, unsigned int index)
{
	char path[PATH_MAX], text[16];

	if (!index)
		return unlink(join(path, pins->folder, ALLMULTICAST)) && errno != ENOENT ? -errno : 0;
	snprintf(text, sizeof(text), "%u", index);
	return lead(text, pins->folder, ALLMULTICAST);
}

unsigned int xdp_pin_marked_multicast(const struct xdp_pins *pins)
{
	char path[PATH_MAX], text[16] = "";

	if (readlink(join(path, pins->folder, ALLMULTICAST), text, sizeof(text) - 1) < 0)
		return 0;
	return (unsigned int)strtoul(text, NULL, 10);
}

/* Whether it leads to a map of the set in use. */
static bool is_map_name(const char *name)
{
	for (int i = 0; i < XDP_MAPS; i++)
		if (!strcmp(name, xdp_map_names[i]))
			return true;
	return false;
}

void xdp_pin_clean(const struct xdp_pins *pins, uint32_t keep_program_id)
{
	DIR *folder = opendir(pins->folder);
	char keep[32], path[PATH_MAX];
	struct dirent *entry;

	snprintf(keep, sizeof(keep), SET "%u", keep_program_id);
	while (folder && (entry = readdir(folder))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, LINK))
			continue;
		if (keep_program_id &&
			(!strcmp(name, keep) || !strcmp(name, CURRENT) || !strcmp(name, ALLMULTICAST) ||
				is_map_name(name)))
			continue;
		remove_tree(join(path, pins->folder, name));
	}
	if (folder)
		closedir(folder);
}

void xdp_pin_remove(const struct xdp_pins *pins)
{
	char path[PATH_MAX];

	unlink(join(path, pins->folder, LINK));
	xdp_pin_clean(pins, 0);
}
