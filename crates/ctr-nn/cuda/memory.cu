// The device's memory as seen by the stream-ordered allocator.
#include "launch.cuh"

// Freed memory stays with the program: without this every synchronisation returns it to the system, and the next allocations
// wait for it.
extern "C" int ctr_keep_freed_memory(int device) {
    cudaMemPool_t pool;
    if (const cudaError_t error = cudaDeviceGetDefaultMemPool(&pool, device)) return error;
    uint64_t threshold = UINT64_MAX;
    return cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold);
}

// Bytes that can still be allocated: free on the device, or kept by the program and unused.
extern "C" int ctr_free_bytes(int device, uint64_t* bytes) {
    cudaMemPool_t pool;
    if (const cudaError_t error = cudaDeviceGetDefaultMemPool(&pool, device)) return error;
    uint64_t reserved = 0, used = 0;
    size_t free = 0, total = 0;
    if (const cudaError_t error = cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved)) return error;
    if (const cudaError_t error = cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used)) return error;
    if (const cudaError_t error = cudaMemGetInfo(&free, &total)) return error;
    *bytes = free + (reserved - used);
    return 0;
}
