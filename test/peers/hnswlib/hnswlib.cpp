// hnswlib as a peer of the benchmark: builds a graph over an fvecs file, or loads it from a
// cache, prints "ready BUILD_SECONDS", then answers each "EF ROUNDS" line on standard input
// with "RECALL QUERIES_PER_SECOND", one thread, best of ROUNDS.
//
//   g++ -O3 -march=native -std=c++17 hnswlib.cpp -o hnswlib -lpthread     (Debian: libhnswlib-dev)
//   ./hnswlib base.fvecs query.fvecs truth.i32 METRIC M EF_CONSTRUCTION CACHE
//
// truth.i32 holds 100 exact neighbours a query. METRIC is ip or l2.
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

static std::vector<float> fvecs(const char* name, int& dim) {
    std::ifstream in(name, std::ios::binary | std::ios::ate);
    if (!in) { std::perror(name); std::exit(1); }
    size_t bytes = in.tellg();
    in.seekg(0);
    int32_t d = 0;
    in.read(reinterpret_cast<char*>(&d), 4);
    dim = d;
    size_t n = bytes / (4 * (size_t(d) + 1));
    std::vector<float> out(n * d);
    in.seekg(0);
    for (size_t i = 0; i < n; i++) {
        in.read(reinterpret_cast<char*>(&d), 4);
        in.read(reinterpret_cast<char*>(&out[i * dim]), 4 * size_t(dim));
    }
    return out;
}

int main(int argc, char** argv) {
    if (argc != 8) { std::fprintf(stderr, "usage: see the top of the source\n"); return 2; }
    int dim = 0;
    auto base = fvecs(argv[1], dim), query = fvecs(argv[2], dim);
    size_t n = base.size() / dim, nq = query.size() / dim;
    std::vector<int32_t> truth(nq * 100);
    std::ifstream(argv[3], std::ios::binary).read(reinterpret_cast<char*>(truth.data()), truth.size() * 4);
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    if (std::string(argv[4]) == "ip") space = std::make_unique<hnswlib::InnerProductSpace>(dim);
    else space = std::make_unique<hnswlib::L2Space>(dim);
    int m = std::atoi(argv[5]), efc = std::atoi(argv[6]);

    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
    double seconds = 0;
    if (std::ifstream(argv[7]).good()) {
        index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), argv[7]);
    } else {
        index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), n, m, efc, 100);
        auto t0 = std::chrono::steady_clock::now();
        for (size_t i = 0; i < n; i++) index->addPoint(&base[i * dim], i);
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
        index->saveIndex(argv[7]);
    }
    std::printf("ready %.3f\n", seconds);
    std::fflush(stdout);
    int ef, rounds;
    while (std::cin >> ef >> rounds) {
        index->setEf(ef);
        size_t found = 0;
        double best = 1e30;
        for (int r = 0; r < rounds; r++) {
            found = 0;
            auto t0 = std::chrono::steady_clock::now();
            for (size_t i = 0; i < nq; i++) {
                auto result = index->searchKnn(&query[i * dim], 10);
                const int32_t* t = &truth[i * 100];
                for (; !result.empty(); result.pop())
                    found += std::find(t, t + 10, int32_t(result.top().second)) != t + 10;
            }
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count());
        }
        std::printf("%.6f %.1f\n", double(found) / (10.0 * nq), nq / best);
        std::fflush(stdout);
    }
}
