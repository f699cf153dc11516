// A launch: block after block, the threads of a block on one thread of the host.
//
// A thread runs until it ends or waits for its block or warp. Only then another stack is taken for the next thread, so kernels
// whose threads do not wait need one. CUDA_ON_CPU_ORDER says in which order blocks and threads run: a result that changes with it
// depends on an order that a GPU does not promise.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <ucontext.h>
#include <vector>

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace {

constexpr size_t STACK_BYTES = 64 << 10, MOST_THREADS = 1024, MOST_SHARED_BYTES = 48 << 10, RIM_BYTES = 256;

enum class State { New, Free, Running, WaitsForBlock, WaitsForWarp };

struct Stack {
    jmp_buf at;
    std::unique_ptr<char[]> bytes{new char[STACK_BYTES]};
    State state = State::New;
    unsigned thread = 0;
};

// The numbers below `count`, each once: `first`, `first + step` and so on, round and round.
struct Order {
    size_t count, first, step;
    size_t operator[](size_t i) const { return (first + i * step) % count; }
};

// Another one at every call where the order is shuffled.
Order order_of(size_t count) {
    enum Kind { FORWARDS, REVERSE, SHUFFLED };
    static const Kind kind = [] {
        const char* name = getenv("CUDA_ON_CPU_ORDER");
        if (!name) return FORWARDS;
        if (!strcmp(name, "reverse")) return REVERSE;
        if (!strcmp(name, "shuffled")) return SHUFFLED;
        on_cpu::fail("CUDA_ON_CPU_ORDER is neither reverse nor shuffled");
    }();
    if (kind == FORWARDS || count == 1) return {count, 0, 1};
    if (kind == REVERSE) return {count, count - 1, count - 1};
    static std::minstd_rand random;
    size_t step = 0;
    while (std::gcd(step, count) != 1) step = random() % count;
    return {count, random() % count, step};
}

std::mutex one_launch;
std::vector<std::unique_ptr<Stack>> stacks;
Stack* current = nullptr;
jmp_buf scheduler;
const std::function<void()>* body = nullptr;
unsigned threads = 0, started = 0;
Order order{1, 0, 1};
alignas(16) char dynamic_memory[MOST_SHARED_BYTES + RIM_BYTES];
std::vector<void*> static_shared;
size_t shared_bytes = 0;
alignas(16) char slots[MOST_THREADS][16];
bool ended[MOST_THREADS];

void enter(unsigned thread) {
    current->thread = thread;
    threadIdx = dim3(thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y);
}

void wait(State state) {
    current->state = state;
    if (!_setjmp(current->at)) _longjmp(scheduler, 1);
}

// What every stack does: thread after thread, for as long as none waits.
void run_threads() {
    for (;;) {
        while (started < threads) {
            enter(order[started++]);
            (*body)();
            ended[current->thread] = true;
        }
        wait(State::Free);
    }
}

void go_on(Stack& stack) {
    current = &stack;
    const State before = std::exchange(stack.state, State::Running);
    if (_setjmp(scheduler)) return;
    if (before == State::New) {
        // Only to get onto the stack: changing contexts later would cost a system call each time.
        ucontext_t context;
        getcontext(&context);
        context.uc_stack.ss_sp = stack.bytes.get();
        context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&context, run_threads, 0);
        setcontext(&context);
    }
    if (before != State::Free) enter(stack.thread);
    _longjmp(stack.at, 1);
}

Stack& free_stack() {
    for (auto& stack : stacks)
        if (stack->state == State::Free) return *stack;
    stacks.push_back(std::make_unique<Stack>());
    return *stacks.back();
}

// Every thread has ended or waits: lets those go on that wait for nobody else. False if no thread is left.
bool release() {
    std::vector<Stack*> waiting;
    for (auto& stack : stacks)
        if (stack->state != State::Free) waiting.push_back(stack.get());
    if (waiting.empty()) return false;
    bool all_for_block = true;
    std::vector<bool> for_block(MOST_THREADS / warpSize);
    for (Stack* stack : waiting)
        if (stack->state == State::WaitsForBlock)
            for_block[stack->thread / warpSize] = true;
        else
            all_for_block = false;
    bool released = false;
    for (Stack* stack : waiting) {
        if (!all_for_block && for_block[stack->thread / warpSize]) continue;
        released = true;
        go_on(*stack);
    }
    if (!released) on_cpu::fail("threads of one warp wait for each other and for their block");
    return true;
}

void run_block(size_t dynamic_bytes) {
    static_shared.clear();
    shared_bytes = dynamic_bytes;
    on_cpu::poison(dynamic_memory, dynamic_bytes);
    on_cpu::poison(dynamic_memory + dynamic_bytes, RIM_BYTES);
    std::fill(ended, ended + threads, false);
    order = order_of(threads);
    started = 0;
    while (started < threads) go_on(free_stack());
    while (release()) {}
    if (!on_cpu::is_poison(dynamic_memory + dynamic_bytes, RIM_BYTES)) on_cpu::fail("a kernel wrote beyond its shared memory");
}

} // namespace

namespace on_cpu {

int launch(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& kernel) {
    const size_t of_block = size_t(block.x) * block.y * block.z;
    const bool fits = of_block <= MOST_THREADS && block.z <= 64 && dynamic_bytes <= MOST_SHARED_BYTES;
    const bool is_grid = grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535;
    const size_t blocks = size_t(grid.x) * grid.y * grid.z;
    if (!fits || !is_grid || of_block == 0 || blocks == 0) return 9; // invalid configuration
    count_launch();
    const std::lock_guard<std::mutex> lock(one_launch);
    gridDim = grid;
    blockDim = block;
    body = &kernel;
    threads = of_block;
    const Order of_blocks = order_of(blocks);
    for (size_t i = 0; i < blocks; i++) {
        const size_t at = of_blocks[i];
        blockIdx = dim3(at % grid.x, at / grid.x % grid.y, at / grid.x / grid.y);
        run_block(dynamic_bytes);
    }
    return 0;
}

void* dynamic_shared_bytes() { return dynamic_memory; }

void declare_shared(void* array, size_t bytes) {
    if (std::find(static_shared.begin(), static_shared.end(), array) != static_shared.end()) return;
    static_shared.push_back(array);
    shared_bytes += bytes;
    if (shared_bytes > MOST_SHARED_BYTES) fail("a kernel uses more than 48 KiB of shared memory");
    poison(array, bytes);
}

void wait_for_block() { wait(State::WaitsForBlock); }
void wait_for_warp() { wait(State::WaitsForWarp); }
unsigned thread_of_block() { return current->thread; }
void* own_slot() { return slots[current->thread]; }

const void* slot_of(unsigned thread) {
    if (thread >= threads || ended[thread]) fail("a shuffle reads from a lane that has ended or was never there");
    return slots[thread];
}

} // namespace on_cpu
