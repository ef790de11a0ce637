# SPDX-License-Identifier: BSD-3-Clause
# Completion of shuntctl for bash. What there is to offer, shuntctl itself knows: "__complete" with the words so far
# prints one candidate a line, after a tab its description, or ":files".

_shuntctl()
{
	local cur words cword candidate
	# Bash breaks words at ":" and "=", which addresses and "--pool=web" have in them. So whole words are put together
	# first, and bash gets what comes after the last break.
	_get_comp_words_by_ref -n := cur words cword
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		if [[ $candidate == :files ]]; then
			_filedir
			return
		fi
		COMPREPLY+=("$candidate")
	done < <("${words[0]}" __complete "${words[@]:1:cword}" 2>/dev/null)
	if [[ $cur == *:* ]]; then
		__ltrim_colon_completions "$cur"
	elif [[ $cur == -*=* && $COMP_WORDBREAKS == *=* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
	fi
}

complete -F _shuntctl shuntctl
