# SPDX-License-Identifier: BSD-3-Clause
# Completion of shuntctl for bash. What there is to offer, shuntctl itself knows: "__complete" with the words so far
# prints one candidate a line, after a tab its description, or ":files".

_shuntctl()
{
	local cur prev words cword candidate
	# A colon is part of addresses here, though bash breaks words at it; "=" is not, "--pool=x" is one word.
	_get_comp_words_by_ref -n := cur prev words cword
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		if [[ $candidate == :files ]]; then
			_filedir
			return
		fi
		COMPREPLY+=("$candidate")
	done < <("${words[0]}" __complete "${words[@]:1:cword}" 2>/dev/null)
	__ltrim_colon_completions "$cur"
}

complete -F _shuntctl shuntctl
