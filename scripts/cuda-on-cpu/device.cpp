// One device: its memory, and as much of CUDA's driver and runtime as candle and ctrbench call. Streams and events have nothing
// to do, since every call does its work before it returns.
//
// Memory is filled with poison when it is given, so that a read before a write is noticed, and when it is taken back. It is then
// kept for a while, to see whether it is written to. A rim of NaN on both sides must be whole in the end. CUDA_ON_CPU_BYTES says how
// much memory there is. With CUDA_ON_CPU_COUNTS the end of the program says how often the device was called.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <deque>
#include <dlfcn.h>
#include <map>
#include <mutex>

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, NOT_FOUND = 500 };

constexpr size_t RIM_BYTES = 256, KEPT_BYTES = 64 << 20;
constexpr uint32_t POISON = 0x7fd57fd5;

// NaN, another one at every place: what is read from one rim and written to another does not go unnoticed.
uint32_t rim_word(const char* rim, size_t i) { return 0x7fc00000 | ((reinterpret_cast<uintptr_t>(rim) / 4 + i) & 0x1fffff); }

void write_rim(char* rim) {
    for (uint32_t i = 0; i < RIM_BYTES / 4; i++) {
        const uint32_t word = rim_word(rim, i);
        memcpy(rim + 4 * i, &word, 4);
    }
}

bool is_rim(const char* rim) {
    for (uint32_t i = 0; i < RIM_BYTES / 4; i++) {
        const uint32_t word = rim_word(rim, i);
        if (memcmp(rim + 4 * i, &word, 4)) return false;
    }
    return true;
}

const size_t TOTAL_BYTES = [] {
    const char* bytes = getenv("CUDA_ON_CPU_BYTES");
    if (!bytes) return size_t(1) << 30;
    const size_t digits = strspn(bytes, "0123456789");
    if (digits == 0 || digits > 18 || bytes[digits]) on_cpu::fail("CUDA_ON_CPU_BYTES is no number of bytes, as 1000000000");
    return size_t(strtoull(bytes, nullptr, 10));
}();

// A copy to the host is where a program waits for a GPU.
struct Counts {
    std::atomic<long> launches, to_device, to_host, waits;
    ~Counts() {
        const char* asked = getenv("CUDA_ON_CPU_COUNTS");
        if (asked && strcmp(asked, "0"))
            fprintf(stderr, "CUDA on the CPU: %ld launches, %ld copies to the device, %ld to the host, %ld other waits\n", launches.load(),
                    to_device.load(), to_host.load(), waits.load());
    }
} counts;

int wait() {
    counts.waits++;
    return SUCCESS;
}

std::mutex memory_lock;
std::map<char*, size_t> allocations;
size_t used_bytes = 0, kept_bytes = 0;
// Freed, the oldest first.
std::deque<std::pair<char*, size_t>> kept;
thread_local int last_error = SUCCESS;
thread_local void* current_context = nullptr;
char context, stream, event, pool;

int allocate(void** pointer, size_t bytes) {
    if (bytes == 0) return INVALID_VALUE;
    const std::lock_guard<std::mutex> lock(memory_lock);
    if (bytes > TOTAL_BYTES - used_bytes) return OUT_OF_MEMORY;
    char* rim = static_cast<char*>(aligned_alloc(256, RIM_BYTES + (bytes + 255) / 256 * 256 + RIM_BYTES));
    if (!rim) return OUT_OF_MEMORY;
    char* start = rim + RIM_BYTES;
    write_rim(rim);
    on_cpu::poison(start, bytes);
    write_rim(start + bytes);
    allocations[start] = bytes;
    used_bytes += bytes;
    *pointer = start;
    return SUCCESS;
}

void check_rims(const char* start, size_t bytes) {
    if (!is_rim(start - RIM_BYTES) || !is_rim(start + bytes)) on_cpu::fail("a kernel wrote beside its memory");
}

int release(void* pointer) {
    if (!pointer) return SUCCESS;
    const std::lock_guard<std::mutex> lock(memory_lock);
    const auto found = allocations.find(static_cast<char*>(pointer));
    if (found == allocations.end()) on_cpu::fail("memory is freed that was not allocated");
    const auto [start, bytes] = *found;
    check_rims(start, bytes);
    on_cpu::poison(start, bytes);
    used_bytes -= bytes;
    allocations.erase(found);
    kept.emplace_back(start, bytes);
    kept_bytes += bytes;
    while (kept_bytes > KEPT_BYTES) {
        const auto [oldest, its_bytes] = kept.front();
        if (!on_cpu::is_poison(oldest, its_bytes)) on_cpu::fail("a kernel wrote to memory that had been freed");
        free(oldest - RIM_BYTES);
        kept_bytes -= its_bytes;
        kept.pop_front();
    }
    return SUCCESS;
}

struct AtTheEnd {
    ~AtTheEnd() {
        for (const auto& [start, bytes] : allocations) check_rims(start, bytes);
        for (const auto& [start, bytes] : kept)
            if (!on_cpu::is_poison(start, bytes)) on_cpu::fail("a kernel wrote to memory that had been freed");
    }
} at_the_end;

template <typename T, typename V> int give(T* to, V value) {
    *to = value;
    return SUCCESS;
}

} // namespace

namespace on_cpu {

void fail(const char* what) {
    fprintf(stderr, "CUDA on the CPU: %s\n", what);
    abort();
}

void poison(void* memory, size_t bytes) {
    char* at = static_cast<char*>(memory);
    for (size_t i = 0; i < bytes; i += sizeof POISON) memcpy(at + i, &POISON, std::min(sizeof POISON, bytes - i));
}

bool is_poison(const void* memory, size_t bytes) {
    const char* at = static_cast<const char*>(memory);
    for (size_t i = 0; i < bytes; i += sizeof POISON)
        if (memcmp(at + i, &POISON, std::min(sizeof POISON, bytes - i))) return false;
    return true;
}

void check(const void* memory, size_t bytes) {
    if (bytes == 0) return;
    const std::lock_guard<std::mutex> lock(memory_lock);
    char* at = static_cast<char*>(const_cast<void*>(memory));
    auto after = allocations.upper_bound(at);
    if (after == allocations.begin()) fail("a copy or product uses memory that is not the device's");
    const auto [start, size] = *--after;
    if (at + bytes > start + size) fail("a copy or product reaches beyond its memory");
}

void set_last_error(int error) { last_error = error; }
void count_launch() { counts.launches++; }

} // namespace on_cpu

using Kernel = void (*)(void**);

extern "C" {

int cuInit(unsigned) {
    static const int said = fprintf(stderr, "CUDA on the CPU (scripts/cuda-on-cpu.sh): there is no GPU, and rates mean nothing\n");
    return said ? SUCCESS : INVALID_VALUE;
}
int cuDriverGetVersion(int* version) { return give(version, 13000); }
int cuGetErrorName(int error, const char** name) {
    return give(name, error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "another CUDA error");
}
int cuGetErrorString(int error, const char** text) { return cuGetErrorName(error, text); }

int cuDeviceGetCount(int* count) { return give(count, 1); }
int cuDeviceGet(int* device, int ordinal) { return ordinal == 0 ? give(device, 0) : INVALID_DEVICE; }
int cuDeviceGetName(char* name, int bytes, int) {
    snprintf(name, bytes, "CUDA on the CPU");
    return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) { return give(bytes, TOTAL_BYTES); }
// Memory pools are the one attribute that decides what is called; 1 is a fair answer for the others as well.
int cuDeviceGetAttribute(int* value, int, int) { return give(value, 1); }
int cuDevicePrimaryCtxRetain(void** out, int) { return give(out, &context); }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxSetCurrent(void* wanted) { return give(&current_context, wanted); }
int cuCtxGetCurrent(void** out) { return give(out, current_context); }
int cuCtxSynchronize() { return wait(); }

int cuStreamCreate(void** out, unsigned) { return give(out, &stream); }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) { return wait(); }
int cuStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }
int cuStreamIsCapturing(void*, int* status) { return give(status, 0); }
int cuEventCreate(void** out, unsigned) { return give(out, &event); }
int cuEventDestroy_v2(void*) { return SUCCESS; }
int cuEventRecord(void*, void*) { return SUCCESS; }
int cuEventSynchronize(void*) { return wait(); }
int cuEventQuery(void*) { return SUCCESS; }

int cuMemAlloc_v2(void** pointer, size_t bytes) { return allocate(pointer, bytes); }
int cuMemAllocAsync(void** pointer, size_t bytes, void*) { return allocate(pointer, bytes); }
int cuMemFree_v2(void* pointer) { return release(pointer); }
int cuMemFreeAsync(void* pointer, void*) { return release(pointer); }
int cuMemGetInfo_v2(size_t* free, size_t* total) {
    const std::lock_guard<std::mutex> lock(memory_lock);
    *total = TOTAL_BYTES;
    *free = TOTAL_BYTES - used_bytes;
    return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void*) {
    counts.to_device++;
    on_cpu::check(to, bytes);
    memcpy(to, from, bytes);
    return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void*) {
    counts.to_host++;
    on_cpu::check(from, bytes);
    memcpy(to, from, bytes);
    return SUCCESS;
}
int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void*) {
    on_cpu::check(to, bytes);
    on_cpu::check(from, bytes);
    memmove(to, from, bytes);
    return SUCCESS;
}
int cuMemsetD8Async(void* to, unsigned char value, size_t bytes, void*) {
    on_cpu::check(to, bytes);
    memset(to, value, bytes);
    return SUCCESS;
}

// The image is the path of a library (nvcc).
int cuModuleLoadData(void** module, const void* image) {
    *module = dlopen(static_cast<const char*>(image), RTLD_NOW | RTLD_LOCAL);
    if (!*module) fprintf(stderr, "CUDA on the CPU: %s\n", dlerror());
    return *module ? SUCCESS : NOT_FOUND;
}
int cuModuleUnload(void*) { return SUCCESS; }
int cuModuleGetFunction(void** function, void* module, const char* name) {
    char symbol[256];
    snprintf(symbol, sizeof symbol, "on_cpu_%s", name);
    *function = dlsym(module, symbol);
    if (!*function) fprintf(stderr, "CUDA on the CPU: kernel %s is not compiled\n", name);
    return *function ? SUCCESS : NOT_FOUND;
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared_bytes,
                   void*, void** arguments, void**) {
    const auto kernel = reinterpret_cast<Kernel>(function);
    // The runtime's code for a launch that is refused is none of the driver's.
    const int error = on_cpu::launch({gx, gy, gz}, {bx, by, bz}, shared_bytes, [=] { kernel(arguments); });
    return error ? INVALID_VALUE : SUCCESS;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, SUCCESS); }
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* out, int) { return give(out, &pool); }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return SUCCESS; }
// Nothing is kept that is not used.
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) { return give(static_cast<uint64_t*>(value), 0); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) { return cuMemGetInfo_v2(free, total); }

// candle makes a generator with every device; ctrbench draws no numbers on one.
int curandCreateGenerator(void** generator, int) { return give(generator, &pool); }
int curandDestroyGenerator(void*) { return SUCCESS; }
int curandSetStream(void*, void*) { return SUCCESS; }
int curandSetPseudoRandomGeneratorSeed(void*, unsigned long long) { return SUCCESS; }

} // extern "C"
