/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shell completion, from the table of commands and, for names and addresses, from what the daemon shows.
 * The shells' own scripts (shuntctl.bash, _shuntctl) only call "shuntctl __complete WORD...".
 */
#ifndef SHUNTCTL_COMPLETE_H
#define SHUNTCTL_COMPLETE_H

/*
 * Print what the last of the words may become, one candidate a line, with a tab and a description where there
 * is one; the single line ":files" stands for names of files. words: those after the program's name, the last
 * one being completed, perhaps empty.
 */
void complete_print(int n, char **words);

#endif
