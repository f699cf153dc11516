// The optimizers' rules for one value: ctr_nn's `Update`, in the same order of operations.
#pragma once
#include <cstdint>

enum Rule : int32_t { WRITE = 0, SGD = 1, ADAM = 2, ADAGRAD = 3 };

// Passed by value; src/cuda/ffi.rs has the same layout.
struct UpdateRule {
    int32_t rule;
    float learning_rate, l2, epsilon;
    float beta1, beta2, complement1, complement2;
    float step_size, second_moment_correction, decay;
};

// Updates the value `p` by its gradient `g`. `state` holds the state of the value's row: Adam's first moments, then, `row_len`
// values on, its second ones; Adagrad's sums.
__device__ inline void apply_rule(const UpdateRule& u, float* p, float* state, size_t row_len, float g) {
    switch (u.rule) {
    case WRITE:
        *p = g;
        break;
    case SGD:
        *p -= u.learning_rate * (g + u.l2 * *p);
        break;
    case ADAM: {
        g += u.l2 * *p;
        const float m = u.beta1 * state[0] + u.complement1 * g;
        const float v = u.beta2 * state[row_len] + u.complement2 * g * g;
        state[0] = m;
        state[row_len] = v;
        *p = *p * u.decay - u.step_size * m / (sqrtf(v / u.second_moment_correction) + u.epsilon);
        break;
    }
    case ADAGRAD: {
        g += u.l2 * *p;
        const float sum = state[0] + g * g;
        state[0] = sum;
        *p -= u.learning_rate * g / (sqrtf(sum) + u.epsilon);
        break;
    }
    }
}

// Values of state for every value of a parameter.
__device__ inline size_t state_per_value(const UpdateRule& u) { return u.rule == ADAM ? 2 : u.rule == ADAGRAD ? 1 : 0; }
