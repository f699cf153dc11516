// What every kernel file needs: launch sizes, and how a launch reports its error.
#pragma once
#include <cstdint>
#include <cuda_runtime.h>

// An id that stands for no row; ctr_nn::PADDING_ROW.
constexpr uint32_t PADDING_ROW = 0xffffffffu;
constexpr int THREADS = 256;

inline unsigned blocks_for(size_t count, size_t per_block = THREADS) {
    return static_cast<unsigned>((count + per_block - 1) / per_block);
}

// The launch's own error; 0 is success.
inline int launched() { return static_cast<int>(cudaGetLastError()); }

__device__ inline size_t thread_index() { return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
