# SPDX-License-Identifier: BSD-3-Clause
# The language of perl: regular expressions, sprintf, sort, hashes, local, closures, pack, files.
use strict; use warnings;
my $text = "Alice=30, Bob=25; Carol=41 and dave=7";
my %age = $text =~ /(\w+)=(\d+)/g;
printf "%-6s %3d\n", $_, $age{$_} for sort { $age{$a} <=> $age{$b} or $a cmp $b } keys %age;
(my $copy = $text) =~ s/(\d+)/$1 * 2/ge; print "$copy\n";
print join("|", "2024-02-29T12:34:56" =~ /^(?<y>\d{4})-(\d\d)-(\d\d)T(.*)$/), " $+{y}\n";
print "nested: $1\n" if "f(a(b)c)d" =~ /(\((?:[^()]++|(?1))*\))/;
print "look: @{[ 'price 100 USD 200 EUR' =~ /\d+(?= EUR)/g ]}\n";
my $re = qr/(.)\1/x; print join(",", map { /$re/ ? $1 : '-' } qw(hello world foo)), "\n";
(my $tr = "hello") =~ tr/a-y/b-z/; print "$tr ", ($text =~ tr/a-z//), "\n";
printf "%s %05.2f %x %o %b %e %g %s %vd %%\n", "s", 3.14159, 255, 8, 5, 12345.678, 1e-5, 1e21, "1.22.333";
printf "%.15g %.17g %s %s\n", 0.1 + 0.2, 0.1 + 0.2, 9**20, 2**53 + 1;
print 7 % -3, " ", -7 % 3, " ", int(-7 / 2), " ", 1 <=> 2, " ", "abc" x 2, " ", "10" + "20", "\n";
print join(" ", unpack("A3 n N v V C*", pack("A3 n N v V C*", "ab", 1, 2, 3, 4, 5, 6))), "\n";
print unpack("H*", pack("d f q w U", 1.5, -2.25, -1, 300, 0x263a)), "\n";
my @sorted = sort { $a->[1] <=> $b->[1] } map { [$_, ($_ * 7919) % 101] } 1 .. 200; print $sorted[$_][0], " " for 0 .. 5; print "\n";
my @counters = map { my $n = $_; sub { return $n++ } } 1 .. 3; $counters[1]->() for 1 .. 4; print $counters[1]->(), $counters[0]->(), "\n";
my %deep; $deep{$_ % 3}{$_}[2] = $_ for 1 .. 9; print join(",", map { scalar keys %{ $deep{$_} } } sort keys %deep), "\n";
eval { die { code => 42 } }; print "died $@->{code}\n"; eval { my $z = 0; my $x = 1 / $z; }; print $@;
open my $out, '>', 'lines' or die; print $out "line $_\n" for 1 .. 100; close $out;
open my $in, '<', 'lines' or die; my ($n, $sum) = (0, 0); while (<$in>) { $n = $., $sum += $1 if /(\d+)/ } close $in; print "$n $sum ", -s 'lines', "\n";
print scalar reverse("stressed"), " ", ucfirst(lc "MIXED"), " ", join(":", split //, "abc"), " ", sprintf("%s", join ",", (1) x 5), "\n";
local $, = "-"; local $\ = "!\n"; print 1, 2, 3; $, = undef; $\ = undef;
my $str = ""; open my $mem, '>', \$str; print $mem "in memory"; close $mem; print "$str ", index($str, "mem"), " ", substr($str, -3), "\n";
print "utf8: ", length("\x{263a}\x{1f600}"), " ", join(",", map { sprintf "%x", ord } split //, "\x{e9}\x{263a}"), "\n";
package Shape { sub new { my ($class, %a) = @_; return bless {%a}, $class } sub area { 0 } sub DESTROY { print "gone $_[0]{name}\n" } }
package Square { our @ISA = 'Shape'; sub area { $_[0]{side} ** 2 } }
{ my $s = Square->new(name => 'sq', side => 4); print ref $s, " ", $s->area, " ", $s->isa('Shape') ? "is" : "not", "\n"; }
printf "%.10f %.10f %.10f %.10f\n", sqrt 2, exp 1, atan2(1, 1) * 4, log 10;
sub fib { my $n = shift; return $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print fib(16), "\n";
exit 9;
