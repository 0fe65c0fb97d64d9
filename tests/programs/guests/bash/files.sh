# SPDX-License-Identifier: BSD-3-Clause
# bash and files: globbing, tests, redirections.
shopt -s extglob globstar nullglob
mkdir -p tree/{alpha,beta/{x,y},.hidden}
for name in a1 a2 b1 c10 'with space'; do echo "$name" > "tree/alpha/$name"; done
touch tree/beta/x/deep tree/beta/y/deep2 tree/.hidden/h
ln -s alpha/a1 tree/link; ln -s nowhere tree/dangling
echo tree/alpha/*; echo tree/alpha/[ab]?; echo tree/**/deep*; echo tree/alpha/!(a*); echo none/*
echo tree/alpha/@(a1|c+([0-9]))
for f in tree/* tree/alpha/a1; do
    r=; [[ -d $f ]] && r+=d; [[ -f $f ]] && r+=f; [[ -L $f ]] && r+=l; [[ -s $f ]] && r+=s; [[ -e $f ]] && r+=e
    [[ -x $f ]] && r+=x; echo "$f $r"
done
while IFS= read -r -d '' f; do echo "found $f"; done < <(find tree -type f -print0 | sort -z)
[[ tree/alpha/a1 -nt tree/none ]] && echo newer; [[ tree/link -ef tree/alpha/a1 ]] && echo same
cat < tree/none; echo "status $?"
set -o noclobber; echo x > tree/alpha/a1; echo "noclobber $?"; echo y >| tree/alpha/a1; cat tree/alpha/a1
echo more >> tree/alpha/a1; wc -l < tree/alpha/a1
IFS=: read -r user _ uid _ < /etc/passwd; echo "$user $uid"
cd tree/beta/x && pwd -P | sed 's,.*/tree,tree,' && cd - > /dev/null && cd tree && echo "${PWD##*/} ${OLDPWD##*/}" && cd ..
umask 027; > made; stat -c %a made; umask
pushd tree > /dev/null; echo "${#DIRSTACK[@]}"; popd > /dev/null
test -r /etc/passwd -a ! -w /proc/version; echo $?
rm -r tree/alpha; [[ -d tree/alpha ]] || echo gone
