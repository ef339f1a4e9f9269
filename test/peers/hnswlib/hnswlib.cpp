// hnswlib as the peer of "isobath bench": builds a graph over an fvecs file, or loads it from a
// cache, and answers lines on standard input.
//
//   g++ -O3 -march=native -std=c++17 hnswlib.cpp -o hnswlib -lpthread     (Debian: libhnswlib-dev)
//   ./hnswlib BASE QUERY TRUTH METRIC M EF_CONSTRUCTION THREADS CACHE
//
// BASE and QUERY are fvecs files, TRUTH holds 100 int32 a query: its exact neighbours, -1 behind the
// last. METRIC is ip or l2. CACHE "-" means none. The first line of output is
//
//   ready ROWS SECONDS CPU_SECONDS          of the build; 0 0 when it came from the cache
//
// then each line "EF K THREADS" is answered with
//
//   RECALL SECONDS CPU_SECONDS DISTANCES HOPS P50_US P95_US P99_US    over all queries
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

static std::vector<float> fvecs(const char* name, int& dim) {
    std::ifstream in(name, std::ios::binary | std::ios::ate);
    if (!in) { std::perror(name); std::exit(1); }
    size_t bytes = in.tellg();
    in.seekg(0);
    int32_t d = 0;
    in.read(reinterpret_cast<char*>(&d), 4);
    if (d < 1 || bytes % (4 * (size_t(d) + 1))) { std::fprintf(stderr, "%s: no fvecs file\n", name); std::exit(1); }
    dim = d;
    size_t n = bytes / (4 * (size_t(d) + 1));
    std::vector<float> out(n * d);
    in.seekg(0);
    for (size_t i = 0; i < n; i++) {
        in.read(reinterpret_cast<char*>(&d), 4);
        in.read(reinterpret_cast<char*>(&out[i * dim]), 4 * size_t(dim));
    }
    if (!in) { std::fprintf(stderr, "%s: cut\n", name); std::exit(1); }
    return out;
}

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double cpu() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

// Calls work(i) for i from first to n - 1 on some threads.
static void parallel(size_t first, size_t n, int threads, const std::function<void(size_t)>& work) {
    std::atomic<size_t> next{first};
    std::vector<std::thread> pool;
    auto run = [&] { for (size_t i; (i = next++) < n;) work(i); };
    for (int t = 1; t < threads; t++) pool.emplace_back(run);
    run();
    for (auto& t : pool) t.join();
}

int main(int argc, char** argv) {
    if (argc != 9) { std::fprintf(stderr, "usage: see the top of the source\n"); return 2; }
    int dim = 0, qdim = 0;
    auto base = fvecs(argv[1], dim), query = fvecs(argv[2], qdim);
    if (dim != qdim) { std::fprintf(stderr, "rows of dimension %d, queries of %d\n", dim, qdim); return 1; }
    size_t n = base.size() / dim, nq = query.size() / dim;
    std::vector<int32_t> truth(nq * 100);
    std::ifstream in(argv[3], std::ios::binary);
    if (!in.read(reinterpret_cast<char*>(truth.data()), truth.size() * 4)) { std::perror(argv[3]); return 1; }
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    if (std::string(argv[4]) == "ip") space = std::make_unique<hnswlib::InnerProductSpace>(dim);
    else space = std::make_unique<hnswlib::L2Space>(dim);
    int m = std::atoi(argv[5]), efc = std::atoi(argv[6]), threads = std::atoi(argv[7]);
    std::string cache = argv[8];

    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
    double wall = 0, used = 0;
    if (cache != "-" && std::ifstream(cache).good()) {
        index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), cache);
    } else {
        index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), n, m, efc, 100);
        wall = now(), used = cpu();
        // The first rows go in one after the other: many at once would not find each other.
        size_t alone = std::min<size_t>(n, 500);
        for (size_t i = 0; i < alone; i++) index->addPoint(&base[i * dim], i);
        parallel(alone, n, threads, [&](size_t i) { index->addPoint(&base[i * dim], i); });
        wall = now() - wall, used = cpu() - used;
        if (cache != "-") index->saveIndex(cache);
    }
    base = {};
    std::printf("ready %zu %.3f %.3f\n", n, wall, used);
    std::fflush(stdout);
    int ef, k;
    while (std::cin >> ef >> k >> threads) {
        index->setEf(ef);
        index->metric_distance_computations = 0;
        index->metric_hops = 0;
        std::atomic<size_t> found{0}, wanted{0};
        std::vector<float> took(nq);
        double w = now(), c = cpu();
        parallel(0, nq, threads, [&](size_t i) {
            double t = now();
            auto result = index->searchKnn(&query[i * dim], k);
            const int32_t* t0 = &truth[i * 100];
            const int32_t* t1 = std::find(t0, t0 + std::min(k, 100), -1);
            size_t hits = 0;
            for (; !result.empty(); result.pop()) hits += std::find(t0, t1, int32_t(result.top().second)) != t1;
            took[i] = now() - t;
            found += hits;
            wanted += t1 - t0;
        });
        w = now() - w, c = cpu() - c;
        std::sort(took.begin(), took.end());
        auto at = [&](double q) { return 1e6 * took[std::min(nq - 1, size_t(q * nq))]; };
        std::printf("%.6f %.6f %.6f %.2f %.2f %.2f %.2f %.2f\n", double(found) / wanted, w, c,
                    double(index->metric_distance_computations) / nq, double(index->metric_hops) / nq, at(.5), at(.95), at(.99));
        std::fflush(stdout);
    }
}
