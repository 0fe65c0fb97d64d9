// SPDX-License-Identifier: BSD-3-Clause
// C++ to be compiled by the guest's compiler: templates, containers, exceptions, streams, lambdas.
#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

struct shape {
    virtual double area() const = 0;
    virtual ~shape() { std::cout << "gone\n"; }
};

struct square : shape {
    explicit square(double s) : side(s) {}
    double area() const override { return side * side; }
    double side;
};

template <int n> struct factorial {
    static constexpr unsigned long value = n * factorial<n - 1>::value;
};
template <> struct factorial<0> {
    static constexpr unsigned long value = 1;
};

int main()
{
    std::map<std::string, int> counts;
    std::istringstream text("the cat and the dog and the bird");
    for (std::string word; text >> word;)
        counts[word]++;
    for (const auto &[word, count] : counts)
        std::cout << word << '=' << count << ' ';
    std::vector<int> v(100);
    std::iota(v.begin(), v.end(), 1);
    std::sort(v.begin(), v.end(), [](int a, int b) { return a * 37 % 101 < b * 37 % 101; });
    std::cout << std::accumulate(v.begin(), v.end(), 0L) << ' ' << v[0] << ' ' << factorial<20>::value << '\n';
    try {
        std::vector<int>().at(5);
    } catch (const std::out_of_range &e) {
        std::cout << "caught " << (std::string(e.what()).find("range") != std::string::npos) << '\n';
    }
    std::unique_ptr<shape> s = std::make_unique<square>(1.5);
    std::cout << std::setprecision(10) << std::hex << 255 << std::dec << ' ' << s->area() << ' '
              << dynamic_cast<square *>(s.get())->side << '\n';
    std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };
    std::cout << fib(15) << std::endl;
    return 4;
}
