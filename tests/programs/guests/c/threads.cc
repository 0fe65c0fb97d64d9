// SPDX-License-Identifier: BSD-3-Clause
// Threads of C++: mutex, condition variable, atomics, futures, call_once, thread_local, shared_mutex.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <future>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <thread>
#include <vector>

static std::mutex lock;
static std::condition_variable filled, drained;
static std::deque<int> items;
static thread_local int mine = 7;

static void produce(int from)
{
    for (int i = from; i < from + 100; i++) {
        std::unique_lock<std::mutex> hold(lock);
        drained.wait(hold, [] { return items.size() < 5; });
        items.push_back(i);
        filled.notify_one();
    }
}

static long consume(int count)
{
    long sum = 0;
    for (; count > 0; count--) {
        std::unique_lock<std::mutex> hold(lock);
        filled.wait(hold, [] { return !items.empty(); });
        sum += items.front();
        items.pop_front();
        drained.notify_one();
    }
    return sum;
}

int main()
{
    std::atomic<long> counter{0}, spins{0};
    std::atomic<bool> go{false};
    std::once_flag once;
    std::shared_mutex table;
    std::vector<int> data(4, 0);
    int called = 0;
    long total = 0;

    std::vector<std::thread> crowd;
    for (int n = 0; n < 4; n++) {
        crowd.emplace_back([&, n] {
            while (!go.load(std::memory_order_acquire))
                std::this_thread::yield();
            mine += n;
            std::call_once(once, [&] { called++; });
            for (int i = 0; i < 2000; i++) {
                counter.fetch_add(n, std::memory_order_relaxed);
                long old = spins.load();
                while (!spins.compare_exchange_weak(old, old + 1)) {
                }
            }
            for (int i = 0; i < 50; i++) {
                if (i % 5 == n) {
                    std::unique_lock<std::shared_mutex> write(table);
                    data[n]++;
                } else {
                    std::shared_lock<std::shared_mutex> read(table);
                    (void)std::accumulate(data.begin(), data.end(), 0);
                }
            }
            std::lock_guard<std::mutex> hold(lock);
            total += mine;
        });
    }
    go.store(true, std::memory_order_release);
    for (auto &t : crowd)
        t.join();
    std::printf("%ld %ld %d %ld %d %d\n", counter.load(), spins.load(), called, total, mine,
                std::accumulate(data.begin(), data.end(), 0));

    std::thread p1(produce, 0), p2(produce, 1000);
    auto c1 = std::async(std::launch::async, consume, 120);
    auto c2 = std::async(std::launch::async, consume, 80);
    p1.join();
    p2.join();
    std::printf("%ld\n", c1.get() + c2.get());

    std::promise<int> promise;
    auto future = promise.get_future();
    std::thread giver([&] { promise.set_value(42); });
    std::printf("%d\n", future.get());
    giver.join();
    auto broken = std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown"); });
    try {
        broken.get();
    } catch (const std::exception &e) {
        std::printf("%s\n", e.what());
    }
    std::timed_mutex timed;
    timed.lock();
    std::thread waiter([&] { std::printf("timed %d\n", timed.try_lock_for(std::chrono::milliseconds(20))); });
    waiter.join();
    return 0;
}
