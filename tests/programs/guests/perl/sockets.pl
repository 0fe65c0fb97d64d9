# SPDX-License-Identifier: BSD-3-Clause
# Sockets of perl: servers and clients of the families inet and unix, datagrams, select.
use strict; use warnings; use IO::Socket::INET; use IO::Socket::UNIX; use IO::Select; use Socket; use POSIX qw(_exit);
$| = 1;
for my $server (IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp', ReuseAddr => 1), IO::Socket::UNIX->new(Listen => 5, Local => 'socket')) {
    $server or die "no server: $!"; my $unix = $server->isa('IO::Socket::UNIX');
    if (!fork) { # two clients at once, served in turns
        my @c = map { $unix ? IO::Socket::UNIX->new(Peer => 'socket') : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) } 1 .. 2;
        for my $i (0 .. 1) { my $c = $c[$i]; print $c "client $i\n" x 3, "end\n"; $c->flush }
        for my $i (0 .. 1) { my $c = $c[$i]; my @lines = <$c>; print "client $i got ", scalar(@lines), " lines, last $lines[-1]" }
        _exit(0);
    }
    my ($set, $done) = (IO::Select->new($server), 0); my %seen;
    while ($done < 2) {
        for my $s ($set->can_read(5)) {
            if ($s == $server) { $set->add(scalar $server->accept); next }
            while (defined(my $line = <$s>)) { $seen{$line}++; last if $line eq "end\n"; print $s uc $line }
            print $s "good bye\n"; $set->remove($s); close $s; $done++;
        }
    }
    wait; print map { "$seen{$_} times $_" } sort keys %seen; print "peer ", ($unix ? $server->hostpath : $server->sockhost), "\n";
}
my $u = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die; my $v = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $u->sockport) or die;
$v->send("a datagram"); my $from = $u->recv(my $got, 100); my ($port, $host) = sockaddr_in($from); print "$got from ", inet_ntoa($host), " ", $port == $v->sockport ? "right" : "wrong", " port\n"; $u->send("back", 0, $from); $v->recv($got, 100); print "$got\n";
my $none = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 1, Timeout => 2); print defined $none ? "connected" : "refused: $!", "\n";
unlink 'socket'; print -e 'socket' ? "still there\n" : "gone\n";
