// SPDX-License-Identifier: BSD-3-Clause
int one(int x);
int two(int x);
int generated(void);
