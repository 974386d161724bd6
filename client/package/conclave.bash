# bash completion for conclave(1). The commands and flags come from the
# program itself (conclave help completion: "words of a command|its flags").
_conclave()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local word words='' line verb flags found='' next=''

	COMPREPLY=()
	# bash cuts -flag=value at the sign
	case $prev in
	=) prev=${COMP_WORDS[COMP_CWORD-2]} ;;
	esac
	[ "$cur" = = ] && cur=''
	case $prev in
	-format | --format)
		COMPREPLY=($(compgen -W 'table json' -- "$cur"))
		return ;;
	-type | --type)
		COMPREPLY=($(compgen -W 'connect_roots' -- "$cur"))
		return ;;
	-config-file | --config-file | -file | --file | -token-file | \
	    --token-file | -ca-file | --ca-file | -ca-path | --ca-path | \
	    -client-cert | --client-cert | -client-key | --client-key)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-* | =) ;;
		*) words="$words${words:+ }$word" ;;
		esac
	done
	words=${words#help }
	while IFS='|' read -r verb flags; do
		if [[ $words == "$verb" || $words == "$verb "* ]]; then
			found=$flags
		elif [[ -z $words || $verb == "$words "* ]]; then
			verb=${verb#"$words"}
			verb=${verb# }
			next="$next ${verb%% *}"
		fi
	done < <("${COMP_WORDS[0]}" help completion 2>/dev/null)
	case $cur in
	-*)
		COMPREPLY=($(compgen -W "$found" -- "$cur"))
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null ;;
	*)
		COMPREPLY=($(compgen -W "$next" -- "$cur"))
		if [[ $words == validate* ]]; then
			compopt -o filenames 2>/dev/null
			COMPREPLY=($(compgen -f -- "$cur"))
		fi ;;
	esac
}
complete -F _conclave conclave
