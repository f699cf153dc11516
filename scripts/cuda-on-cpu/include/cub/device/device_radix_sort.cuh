// CUB's sort: by key, and what has the same key stays in order.
#pragma once
#include "cuda_runtime.h"
#include <numeric>
#include <vector>

namespace cub {

struct DeviceRadixSort {
    template <typename Key, typename Value>
    static cudaError_t SortPairs(void* scratch, size_t& bytes, const Key* keys_in, Key* keys_out, const Value* values_in,
                                 Value* values_out, size_t count, int begin_bit, int end_bit, cudaStream_t = nullptr) {
        // CUB needs about as much.
        const size_t needed = count * (sizeof(Key) + sizeof(Value)) + 1024;
        if (!scratch) {
            bytes = needed;
            return cudaSuccess;
        }
        if (bytes < needed) return cudaErrorInvalidValue;
        on_cpu::check(scratch, bytes);
        on_cpu::poison(scratch, bytes);
        std::vector<size_t> order(count);
        std::iota(order.begin(), order.end(), 0);
        // Only these bits count, as on a GPU: a caller that names too few gets a wrong order.
        const Key mask = end_bit - begin_bit >= int(8 * sizeof(Key)) ? ~Key(0) : ((Key(1) << (end_bit - begin_bit)) - 1) << begin_bit;
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return (keys_in[a] & mask) < (keys_in[b] & mask); });
        for (size_t i = 0; i < count; i++) {
            keys_out[i] = keys_in[order[i]];
            values_out[i] = values_in[order[i]];
        }
        return cudaSuccess;
    }
};

} // namespace cub
