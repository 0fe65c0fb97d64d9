# SPDX-License-Identifier: BSD-3-Clause
# perl and the system: fork, wait, pipes, exec, signals, sockets, select, alarm.
use strict; use warnings; use POSIX qw(:sys_wait_h _exit); use Socket; use IO::Select; use Time::HiRes qw(sleep); use Cwd;
$| = 1;
my %status;
for my $n (1 .. 5) { my $pid = fork; die unless defined $pid; if (!$pid) { _exit($n * 3) } $status{$pid} = $n; }
while ((my $pid = waitpid(-1, 0)) > 0) { $status{$pid} = [$status{$pid}, $? >> 8]; }
print join(" ", sort map { "$_->[0]:$_->[1]" } values %status), "\n";
pipe my $r, my $w; if (!fork) { close $r; print $w "from child $_\n" for 1 .. 3; close $w; _exit(0) } close $w; print while <$r>; wait; print "status $?\n";
print "backticks: ", `echo one; echo two; exit 4`; print $? >> 8, "\n"; print system("sh", "-c", "kill -9 \$\$") & 127, "\n";
open my $p, '-|', 'seq 1 3' or die; my @n = <$p>; chomp @n; print "@n\n"; close $p; open $p, '|-', 'sort -rn' or die; print $p "$_\n" for 3, 10, 7; close $p;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; if (!fork) { close $a; while (<$b>) { syswrite $b, uc } _exit(0) } close $b;
syswrite $a, "hello socket\n"; print scalar <$a>; print "ready: ", scalar(IO::Select->new($a)->can_read(0)), "\n"; shutdown $a, 1; wait;
my $got = 0; $SIG{USR1} = sub { $got++ }; kill USR1 => $$ for 1 .. 3; print "got $got\n";
my $alarmed = ''; eval { local $SIG{ALRM} = sub { die "alarm\n" }; Time::HiRes::alarm(0.05); 1 while 1; }; print $@;
eval { local $SIG{ALRM} = sub { die "hires\n" }; Time::HiRes::alarm(0.05); sleep 5; }; print $@;
local $SIG{CHLD} = sub { $alarmed = 'child' }; if (!fork) { _exit 0 } sleep 0.2; 1 while waitpid(-1, WNOHANG) > 0; print "$alarmed\n";
if (!fork) { $SIG{TERM} = 'DEFAULT'; kill TERM => $$; sleep 1; _exit 1 } wait; print "signal ", $? & 127, "\n";
mkdir 'dir'; chdir 'dir'; print getcwd() =~ m{/dir$} ? "in dir\n" : "lost\n"; chdir '..'; opendir my $d, '.'; print join(" ", sort grep { !/^\./ } readdir $d), "\n";
open my $f, '+>', 'locked'; flock $f, 2; print $f 'x' x 100; seek $f, 50, 0; truncate $f, 60; print tell $f, "\n"; close $f; rename 'locked', 'renamed'; print -s 'renamed', " ", (stat 'renamed')[7], "\n"; utime 1e9, 1e9, 'renamed'; print +(stat _)[2] & 0777, "\n"; unlink 'renamed' or die; print -e 'renamed' ? "there\n" : "gone\n";
{ local *STDOUT; open STDOUT, '>', 'captured'; system 'echo captured'; } open my $c, '<', 'captured'; print <$c>;
END { print "end block $?\n"; $? = 21 }
exec 'sh', '-c', 'exit 3' if 0; exit 2;
