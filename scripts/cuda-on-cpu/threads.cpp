// A launch: block after block, the threads of a block on one thread of the host.
//
// A thread runs until it ends or waits for its block or warp. Only then another stack is taken for the next thread, so kernels
// whose threads do not wait need one. CUDA_ON_CPU_ORDER=reverse runs blocks and threads from the last to the first: a result
// that changes with it depends on an order that a GPU does not promise.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <memory>
#include <mutex>
#include <ucontext.h>
#include <vector>

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace {

constexpr size_t STACK_BYTES = 64 << 10, MOST_THREADS = 1024, MOST_SHARED_BYTES = 48 << 10;

enum class State { New, Free, Running, WaitsForBlock, WaitsForWarp };

struct Stack {
    jmp_buf at;
    std::unique_ptr<char[]> bytes{new char[STACK_BYTES]};
    State state = State::New;
    unsigned thread = 0;
};

const bool REVERSED = [] {
    const char* order = getenv("CUDA_ON_CPU_ORDER");
    return order && !strcmp(order, "reverse");
}();

std::mutex one_launch;
std::vector<std::unique_ptr<Stack>> stacks;
Stack* current = nullptr;
jmp_buf scheduler;
const std::function<void()>* body = nullptr;
unsigned threads = 0, started = 0;
alignas(16) char shared[MOST_SHARED_BYTES];
alignas(16) char slots[MOST_THREADS][16];

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
            const unsigned next = started++;
            enter(REVERSED ? threads - 1 - next : next);
            (*body)();
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
    if (!released) {
        fprintf(stderr, "CUDA on the CPU: threads of one warp wait for each other and for their block\n");
        abort();
    }
    return true;
}

void run_block() {
    memset(shared, 0xff, sizeof shared);
    started = 0;
    while (started < threads) go_on(free_stack());
    while (release()) {}
}

} // namespace

namespace on_cpu {

int launch(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
    const size_t of_block = size_t(block.x) * block.y * block.z;
    const bool fits = of_block <= MOST_THREADS && block.z <= 64 && shared_bytes <= MOST_SHARED_BYTES;
    const bool is_grid = grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535;
    if (!fits || !is_grid || of_block == 0 || size_t(grid.x) * grid.y * grid.z == 0) return 9; // invalid configuration
    count_launch();
    const std::lock_guard<std::mutex> lock(one_launch);
    gridDim = grid;
    blockDim = block;
    body = &kernel;
    threads = of_block;
    const size_t blocks = size_t(grid.x) * grid.y * grid.z;
    for (size_t i = 0; i < blocks; i++) {
        const size_t at = REVERSED ? blocks - 1 - i : i;
        blockIdx = dim3(at % grid.x, at / grid.x % grid.y, at / grid.x / grid.y);
        run_block();
    }
    return 0;
}

void* dynamic_shared_bytes() { return shared; }
void wait_for_block() { wait(State::WaitsForBlock); }
void wait_for_warp() { wait(State::WaitsForWarp); }
void* exchange_slot(unsigned thread) { return slots[thread]; }
unsigned thread_of_block() { return current->thread; }

} // namespace on_cpu
