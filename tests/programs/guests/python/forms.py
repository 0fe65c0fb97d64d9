# SPDX-License-Identifier: BSD-3-Clause
"""The language and small standard modules of Python."""
import base64, bisect, collections, copy, csv, dataclasses, datetime, decimal, difflib, enum, fractions, functools
import hashlib, heapq, hmac, io, itertools, json, math, operator, pickle, random, re, statistics, string, struct
import textwrap, zlib, bz2, lzma, cmath, array

print(2**200, -7 // 2, -7 % 3, divmod(17, -5), 0.1 + 0.2, 1e308 * 10, round(2.5), float("1e-320"), (0.1).hex())
print(pow(3, 10**6, 10**9 + 7), math.factorial(50), math.comb(60, 30), math.isqrt(10**40), math.gcd(2**64, 6**30))
print([math.sin(x) for x in (0.5, 1e5, 1e22)], math.exp(1.5), math.gamma(5.5), math.erf(0.3), math.fsum([0.1] * 10), math.hypot(3, 4, 12))
print(cmath.sqrt(-2 + 1j), complex(1, 2) ** 3, cmath.exp(1j), statistics.stdev([1.5, 2.5, 4.0]), statistics.median([3, 1, 2]))
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7, decimal.Decimal("1e-30").ln(), fractions.Fraction(355, 113) ** 3)
random.seed(12345)
print([random.randrange(100) for _ in range(10)], random.random(), random.gauss(0, 1), random.sample(range(50), 5))
values = list(range(50)); random.shuffle(values); print(values[:10], sorted(values, key=lambda v: v % 7)[:10], heapq.nsmallest(3, values), bisect.bisect(sorted(values), 20))
text = "The quick brown fox jumps over the lazy dog"
print(collections.Counter(text.lower()).most_common(4), textwrap.fill(text, 20), text[::-1], text.title().swapcase(), text.partition("fox"))
print(re.findall(r"\b(\w)(\w*)\b", text)[:3], re.sub(r"(?P<a>\w+) (?P<b>\w+)", r"\g<b> \g<a>", text), re.split(r"[ aeiou]+", text))
print(json.dumps({"b": [1, 2.5, None, True], "a": "é\u263a", "n": {"x": 1e100}}, sort_keys=True, indent=1), json.loads('[1, "\\u00e9", 1.5e3, null]'))
print(struct.pack("<bHiqfd5s?", -1, 65535, -5, 2**40, 1.5, -2.25, b"hello", True).hex(), struct.unpack(">HIf", bytes(range(10))))
data = text.encode() * 100
print(zlib.crc32(data), zlib.adler32(data), len(zlib.compress(data)), zlib.decompress(zlib.compress(data)) == data, len(bz2.compress(data)), len(lzma.compress(data)), lzma.decompress(lzma.compress(data)) == data)
for name in ("md5", "sha1", "sha256", "sha3_256", "sha512", "blake2b", "blake2s"): print(name, hashlib.new(name, data).hexdigest()[:32])
print(hmac.new(b"key", data, "sha256").hexdigest(), hashlib.pbkdf2_hmac("sha256", b"pw", b"salt", 300).hex(), hashlib.scrypt(b"pw", salt=b"s", n=16, r=8, p=1).hex()[:32], base64.b85encode(data[:20]), base64.b32encode(b"hello"))
class Color(enum.Flag): RED = 1; GREEN = 2; BLUE = 4
@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: float = 0.5
    tags: list = dataclasses.field(default_factory=list)
print(Color.RED | Color.BLUE, Point(1) < Point(2), sorted([Point(3), Point(1, 2)]), dataclasses.asdict(Point(5)), pickle.loads(pickle.dumps(Point(7, 8.5, ["t"]))), copy.deepcopy({"p": [Point(1)]}))
print(datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc).isoformat(), datetime.date(2024, 1, 1) + datetime.timedelta(days=400), datetime.datetime.fromtimestamp(1e9, datetime.timezone.utc), datetime.date(2023, 12, 31).isocalendar())
@functools.lru_cache(None)
def ackermann(m, n): return n + 1 if m == 0 else ackermann(m - 1, 1) if n == 0 else ackermann(m - 1, ackermann(m, n - 1))
print(ackermann(2, 20), list(itertools.islice(itertools.permutations("abcd"), 3)), functools.reduce(operator.mul, range(1, 20)), list(itertools.accumulate(range(8))), list(itertools.groupby("aabbb")).__len__())
def numbers():
    try:
        received = 0
        while True: received += yield received
    finally: print("generator closed")
g = numbers(); next(g); print(g.send(5), g.send(7)); g.close()
try:
    try: [][1]
    except IndexError as e: raise ValueError("chained") from e
except ValueError as e: print(repr(e), repr(e.__cause__))
match {"kind": "circle", "r": 3}:
    case {"kind": "square"}: print("square")
    case {"kind": "circle", "r": r} if r > 2: print("circle", r)
print(f"{math.pi:>12.5f}|{12345678:,}|{255:#x}|{'mid':^9}|{1e-7:g}|{True!r:>6}", "%08.3f|%-5s|%+d" % (3.14159, "ab", 5), string.Template("$a ${b}").substitute(a=1, b=2))
out = io.StringIO(); csv.writer(out).writerows([["a", "b,c"], [1, 'q"q']]); print(out.getvalue(), list(csv.reader(io.StringIO(out.getvalue()))))
print("\n".join(difflib.unified_diff("a b c".split(), "a x c".split(), lineterm="")), array.array("d", [1.5, 2.5]).tobytes().hex(), bytes.fromhex("00ff").hex(":"), int.from_bytes(b"\xff\x00", "little", signed=True), "ß".upper(), "ﬁ".casefold(), "é".encode("utf-16"))
print(sum(i * i for i in range(20000)), [n for n in range(2, 100) if all(n % d for d in range(2, n))][-3:], {i % 7 for i in range(100)}, sorted({str(i): i for i in range(12)}))
