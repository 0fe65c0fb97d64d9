# SPDX-License-Identifier: BSD-3-Clause
# Processes of bash: jobs, pipes, traps, signals.
trap 'echo "exit trap, status $?"' EXIT
trap 'echo got USR1' USR1
kill -USR1 $$
echo after

pids=()
for n in 1 2 3 4; do (echo "job $n" > "job.$n"; exit "$n") & pids+=($!); done
for p in "${pids[@]}"; do wait "$p"; echo "status $?"; done
cat job.1 job.2 job.3 job.4

sleep 100 & slept=$!; sleep 0.1
kill "$slept"; wait "$slept"; echo "killed: $?"

true | false | (exit 3) | cat; echo "${PIPESTATUS[@]}"
set -o pipefail; false | true; echo $?; set +o pipefail
seq 1 50 | while read -r n; do ((n % 10)) || echo "$n"; done
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo "diff $?"
tee >(wc -c > count) < job.1 > /dev/null; sleep 0.1; cat count

coproc UP { while read -r line; do echo "${line^^}"; done; }
echo shout >&"${UP[1]}"; read -r answer <&"${UP[0]}"; echo "$answer"
eval "exec ${UP[1]}>&-"; wait "$UP_PID"; echo "coproc $?"

exec 5> fifth; echo to five >&5; exec 5>&-; cat fifth
exec 3< job.2; read -r -u 3 line; exec 3<&-; echo "$line"
x=$(echo inner; echo problem >&2) 2> /dev/null; echo "$x"
{ echo out; echo err >&2; } > both 2>&1; cat both
(trap 'echo child trap; exit 9' TERM; kill -TERM $BASHPID; sleep 1)
echo "subshell $?"
(ulimit -n 64; ulimit -n)
command -v cat; type -t echo; hash -r
timeout 0.2 sleep 5; echo "timeout $?"
wait -n 2> /dev/null; echo "nothing left: $?"
exit 5
