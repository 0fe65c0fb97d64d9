# SPDX-License-Identifier: BSD-3-Clause
"""The sqlite3 module: tables, indexes, transactions, functions, two connections."""
import sqlite3
db = sqlite3.connect("test.db"); db.execute("create table t(id integer primary key, name text, v real)")
with db: db.executemany("insert into t(name, v) values(?, ?)", [("n%d" % (i * 7919 % 1000), i / 7) for i in range(3000)])
db.execute("create index by_name on t(name)"); db.create_function("twice", 1, lambda x: x * 2)
print(db.execute("select count(*), sum(v), avg(v), max(name) from t").fetchone(), db.execute("select name, count(*) c from t group by name order by c desc, name limit 3").fetchall())
print(db.execute("select twice(v) from t where name = 'n77' order by id").fetchall(), db.execute("explain query plan select * from t where name = 'x'").fetchall()[0][3])
try:
    with db: db.execute("update t set v = 0"); raise KeyError
except KeyError: pass
print(db.execute("select min(v), max(v) from t").fetchone(), db.total_changes)
other = sqlite3.connect("test.db", timeout=0.1); db.execute("begin immediate")
try: other.execute("insert into t(name) values('x')")
except sqlite3.OperationalError as e: print(e)
db.rollback(); db.execute("pragma journal_mode=wal"); db.execute("delete from t where id % 3"); db.commit(); print(other.execute("select count(*) from t").fetchone(), db.execute("with recursive f(a, b) as (values(0, 1) union all select b, a + b from f limit 30) select max(a) from f").fetchone())
print(db.execute("select json_extract('{\"a\":[1,2]}', '$.a[1]'), printf('%.3f', 2.0/3), hex(zeroblob(2)), upper('x'), date(0, 'unixepoch')").fetchone(), db.execute("pragma integrity_check").fetchone()); other.close(); db.close()
