/** The scripts for the shells. They only pass the line to increp, so the rest is always of the installed version. */

const BASH = String.raw`# Completion of increp for bash.
_increp() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == $'\tdirectories' ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$2")
    else
      COMPREPLY+=("$line")
    fi
  done < <(increp __complete bash "${'$'}{COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _increp increp
`;

const ZSH = String.raw`#compdef increp
# Completion of increp for zsh.
_increp() {
  local line value
  local -a values shown
  for line in "${'$'}{(@f)$(increp __complete zsh "${'$'}{(@Q)words[2,CURRENT-1]}" "${'$'}{(Q)PREFIX}" 2>/dev/null)}"; do
    if [[ $line == $'\tdirectories' ]]; then
      _files -/
      return
    fi
    value=${'$'}{line%%$'\t'*}
    [[ -n $value ]] || continue
    values+=("$value")
    shown+=("${'$'}{line/$'\t'/  -- }")
  done
  if [[ "$shown" == *'  -- '* ]]; then
    compadd -l -d shown -a values
  else
    compadd -a values
  fi
}
if [[ $funcstack[1] == _increp ]]; then
  _increp "$@"
else
  compdef _increp increp
fi
`;

const FISH = String.raw`# Completion of increp for fish.
function __increp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -r '^["\']' '')
    for line in (increp __complete fish $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = \tdirectories
            __fish_complete_directories "$current"
        else
            printf '%s\n' $line
        end
    end
end
complete -c increp -f -k -a '(__increp_complete)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
