! SPDX-License-Identifier: BSD-3-Clause
program sums
  implicit none
  real(8) :: a(100)
  integer :: i
  a = [(1d0 / i, i = 1, 100)]
  print '(F20.15)', sum(a), dot_product(a, a), sqrt(maxval(a(2:)))
  print *, matmul(reshape([1, 2, 3, 4], [2, 2]), reshape([5, 6, 7, 8], [2, 2]))
end program
