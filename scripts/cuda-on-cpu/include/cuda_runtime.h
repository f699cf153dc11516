// CUDA's language and the little of its runtime that the kernels use, for g++: kernels are functions, and a launch calls them
// for every thread (threads.cpp).
#pragma once
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

#define __CUDA_ARCH__ 520
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
// nvcc (the stand-in) looks for kernels with another definition.
#ifndef __global__
#define __global__
#endif
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
// Blocks run one after the other, so one of each is enough. Where nvcc (the stand-in) finds it in a kernel file, it also adds
// `declare_shared`.
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern dim3 gridDim, blockDim, blockIdx, threadIdx;
constexpr int warpSize = 32;

using cudaStream_t = void*;

namespace on_cpu {

[[noreturn]] void fail(const char* what);

// Fills with a word that is NaN as a float32 and as two bfloat16, and as an id that of no row and not the padding row's.
void poison(void* memory, size_t bytes);
bool is_poison(const void* memory, size_t bytes);
// Ends the program unless the bytes lie in one allocation of the device.
void check(const void* memory, size_t bytes);

// Runs a kernel for all threads; 0, or CUDA's error code.
int launch(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& kernel);
void* dynamic_shared_bytes();
// Says that the block has this array: it is not initialised when the block starts.
void declare_shared(void* array, size_t bytes);
void wait_for_block();
void wait_for_warp();
// Of this block, counted from 0.
unsigned thread_of_block();
// Where a thread leaves a value of at most 16 bytes for its warp.
void* own_slot();
const void* slot_of(unsigned thread);
void set_last_error(int error);
void count_launch();

template <typename T> T* dynamic_shared() { return static_cast<T*>(dynamic_shared_bytes()); }

// `kernel<<<grid, block, shared, stream>>>(arguments)`
struct Launch {
    dim3 grid, block;
    size_t shared_bytes;
    Launch(dim3 grid, dim3 block, size_t shared_bytes = 0, cudaStream_t = nullptr) : grid(grid), block(block), shared_bytes(shared_bytes) {}
    template <typename Kernel, typename... Arguments> void operator()(Kernel kernel, Arguments... arguments) const {
        if (const int error = launch(grid, block, shared_bytes, [&] { kernel(arguments...); })) set_last_error(error);
    }
};

template <typename... Arguments, size_t... I>
void call_at(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<Arguments>*>(arguments[I])...);
}

// Calls a kernel with arguments as cuLaunchKernel takes them.
template <typename... Arguments> void call(void (*kernel)(Arguments...), void** arguments) {
    call_at(kernel, arguments, std::index_sequence_for<Arguments...>{});
}

} // namespace on_cpu

inline void __syncthreads() { on_cpu::wait_for_block(); }

// Of all lanes that have not ended.
template <typename T> T __shfl_xor_sync(unsigned, T value, int lanes, int = warpSize) {
    static_assert(sizeof(T) <= 16);
    memcpy(on_cpu::own_slot(), &value, sizeof value);
    on_cpu::wait_for_warp();
    T others;
    memcpy(&others, on_cpu::slot_of(on_cpu::thread_of_block() ^ lanes), sizeof others);
    on_cpu::wait_for_warp();
    return others;
}

// No two threads run at the same time.
template <typename T> T atomicAdd(T* at, std::common_type_t<T> value) { T old = *at; *at += value; return old; }
template <typename T> T atomicMax(T* at, std::common_type_t<T> value) { T old = *at; *at = std::max(old, value); return old; }
template <typename T> T atomicMin(T* at, std::common_type_t<T> value) { T old = *at; *at = std::min(old, value); return old; }
template <typename T> T atomicCAS(T* at, std::common_type_t<T> compare, std::common_type_t<T> value) {
    T old = *at;
    if (old == compare) *at = value;
    return old;
}

template <typename To, typename From> To on_cpu_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return on_cpu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return on_cpu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return on_cpu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return on_cpu_bits<float>(x); }
inline long long __double_as_longlong(double x) { return on_cpu_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return on_cpu_bits<double>(x); }

template <typename A, typename B> constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    return static_cast<T>(b) < static_cast<T>(a) ? b : a;
}
template <typename A, typename B> constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    return static_cast<T>(a) < static_cast<T>(b) ? b : a;
}
using std::isnan;
using std::signbit;
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752); }

using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0, cudaErrorInvalidValue = 1;
using cudaMemPool_t = void*;
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4, cudaMemPoolAttrReservedMemCurrent = 5, cudaMemPoolAttrUsedMemCurrent = 7 };
extern "C" {
cudaError_t cudaGetLastError();
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
}
