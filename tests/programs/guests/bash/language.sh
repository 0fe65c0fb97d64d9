# SPDX-License-Identifier: BSD-3-Clause
# The language of bash: everything that needs no other program.
declare -a list=(one two "three four" five)
declare -A map=([apple]=1 [pear]=2 [fig]=3)
list+=(six)
list[10]=ten
echo "${#list[@]} ${!list[@]} ${list[-1]} ${list[@]:1:2}"
for key in apple fig pear; do printf '%s=%d ' "$key" "${map[$key]}"; done; echo
unset 'list[1]'
printf '<%s>' "${list[@]}"; echo

outer() {
    local depth=$1
    if ((depth > 0)); then outer $((depth - 1)); else echo "bottom ${FUNCNAME[*]}"; fi
    return $((depth * 3))
}
outer 4; echo "returned $?"

text="The quick brown fox"
echo "${text,,} ${text^^} ${text#* } ${text##* } ${text% *} ${text/quick/slow} ${text:4:5} ${#text}"
echo "${undefined:-default} ${undefined:=set} ${undefined} ${undefined:+alternative}"
echo $((7 ** 5 % 13)) $((0x1f | 2#1010)) $((-7 / 2)) $((1 << 40)) $((5 > 3 ? 10 : 20))
((i = 5, j = i++ + ++i)); echo "$i $j"
let "k = j * 2"; echo "$k"

cat=0
while read -r word number; do ((cat += number)); echo "$word"; done <<EOF
a 1
b 2
c $((3 * 4))
EOF
echo "sum $cat"
read -r -d '' block <<'EOF'
no $expansion here
EOF
echo "$block"
read -r first rest <<< "here string with words"; echo "$first|$rest"

for value in 5 hello x1 /tmp; do
    case $value in
        [0-9]) echo digit ;;
        h*o) echo greeting ;;&
        *l*) echo "has l" ;;
        x?) echo "x and one" ;;
        *) echo other ;;
    esac
done
[[ "release-12.4" =~ ^([a-z]+)-([0-9]+)\.([0-9]+)$ ]] && echo "${BASH_REMATCH[@]:1}"
[[ abc < abd && ! -e /no/such ]] && echo true
printf '%5.2f|%-8s|%08x|%q|%b\n' 3.14159 left 48879 'a b$c' 'tab\there'
printf -v padded '%03d' 7; echo "$padded"
echo {1..5} {a..e..2} pre{x,y}post
set -- a b c; shift; echo "$# $* $1"
eval 'echo evaluated ${text:0:3}'
mapfile -t rows < <(printf '%s\n' r1 r2 r3); echo "${rows[2]} ${#rows[@]}"
ref() { local -n target=$1; target=changed; }; ref text; echo "$text"
until ((i <= 0)); do ((i -= 3)); done; echo "$i"
for ((x = 0; x < 10; x++)); do ((x == 3)) && continue; ((x == 6)) && break; echo -n "$x "; done; echo
(exit 7); echo $?
! true; echo $?
exit 17
