// SPDX-License-Identifier: BSD-3-Clause
// Threads of the C++ library; prints sums that do not depend on the order.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <mutex>
#include <queue>
#include <stdexcept>
#include <thread>
#include <vector>

static void counters()
{
    std::mutex m;
    long sum = 0;
    std::atomic<long> all{0};
    std::vector<std::thread> threads;

    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&, i] {
            for (int j = 0; j < 20000; j++) {
                all++;
                if (j % 10 == 0) {
                    std::lock_guard<std::mutex> guard(m);
                    sum += i;
                }
            }
        });
    }
    for (auto &t : threads)
        t.join();
    std::cout << sum << " " << all << "\n";
}

static void queue()
{
    std::mutex m;
    std::queue<int> q;
    std::condition_variable cv;
    bool done = false;
    long got = 0;
    std::thread consumer([&] {
        std::unique_lock<std::mutex> lock(m);

        for (;;) {
            cv.wait(lock, [&] { return done || !q.empty(); });
            while (!q.empty()) {
                got += q.front();
                q.pop();
            }
            if (done)
                break;
        }
    });

    for (int i = 0; i < 1000; i++) {
        {
            std::lock_guard<std::mutex> guard(m);
            q.push(i);
        }
        cv.notify_one();
    }
    {
        std::lock_guard<std::mutex> guard(m);
        done = true;
    }
    cv.notify_one();
    consumer.join();
    std::cout << got << "\n";
}

int main()
{
    counters();
    queue();
    auto later = std::async(std::launch::async, [] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return 42;
    });
    std::cout << later.get() << "\n";
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &e) {
        std::cout << "caught " << e.what() << "\n";
    }
    thread_local int mine = 5;
    std::thread([] { mine++; }).join();
    std::cout << mine << "\n";
    return 3;
}
