// cuBLAS's products: matrices by columns, factors in float32 or bfloat16, sums in float32.
#include <cuda_bf16.h>
#include <vector>

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { FLOAT32 = 0, BFLOAT16 = 14 };
enum Compute { SUMS_IN_FLOAT32 = 68, FACTORS_IN_TF32 = 77 };

char handle;

// To 10 bits behind the point, the nearest, ties away from zero (PTX: cvt.rna.tf32).
float to_tf32(float x) { return std::isfinite(x) ? __uint_as_float((__float_as_uint(x) + 0x1000) & ~0x1fffu) : x; }

size_t bytes_of(int type) { return type == FLOAT32 ? sizeof(float) : sizeof(__nv_bfloat16); }

// A factor as [rows, columns] by columns, whatever its form.
std::vector<float> factor(const void* values, int type, int leading, bool transposed, int rows, int columns, int compute) {
    std::vector<float> plain(size_t(rows) * columns);
    if (plain.empty()) return plain;
    const size_t within = transposed ? columns : rows, runs = transposed ? rows : columns;
    on_cpu::check(values, ((runs - 1) * leading + within) * bytes_of(type));
    for (int column = 0; column < columns; column++)
        for (int row = 0; row < rows; row++) {
            const size_t at = transposed ? column + size_t(row) * leading : row + size_t(column) * leading;
            const float value =
                type == FLOAT32 ? static_cast<const float*>(values)[at] : __bfloat162float(static_cast<const __nv_bfloat16*>(values)[at]);
            plain[row + size_t(column) * rows] = compute == FACTORS_IN_TF32 ? to_tf32(value) : value;
        }
    return plain;
}

const void* offset(const void* values, int type, long long count) {
    return static_cast<const char*>(values) + count * bytes_of(type);
}

// c += a b, all by columns without gaps.
__attribute__((target_clones("avx512f", "avx2", "default")))
void add_product(const float* a, const float* b, float* c, int m, int n, int k) {
    for (int column = 0; column < n; column++)
        for (int inner = 0; inner < k; inner++)
            for (int row = 0; row < m; row++) c[row + size_t(column) * m] += a[row + size_t(inner) * m] * b[inner + size_t(column) * k];
}

} // namespace

extern "C" {

int cublasCreate_v2(void** out) {
    *out = &handle;
    return SUCCESS;
}
int cublasDestroy_v2(void*) { return SUCCESS; }
int cublasSetStream_v2(void*, void*) { return SUCCESS; }

int cublasGemmStridedBatchedEx(void*, int a_operation, int b_operation, int m, int n, int k, const void* alpha, const void* a, int a_type,
                               int a_leading, long long a_stride, const void* b, int b_type, int b_leading, long long b_stride,
                               const void* beta, void* c, int c_type, int c_leading, long long c_stride, int batch, int compute, int) {
    const bool a_transposed = a_operation != 0, b_transposed = b_operation != 0;
    on_cpu::count_launch();
    const int a_least = a_transposed ? k : m, b_least = b_transposed ? n : k;
    const bool fits = a_leading >= std::max(1, a_least) && b_leading >= std::max(1, b_least) && c_leading >= std::max(1, m);
    if (!fits || m < 0 || n < 0 || k < 0 || batch < 0) return INVALID_VALUE;
    const bool is_known = (a_type == FLOAT32 || a_type == BFLOAT16) && a_type == b_type && c_type == FLOAT32;
    const bool can_compute = compute == SUMS_IN_FLOAT32 || (compute == FACTORS_IN_TF32 && a_type == FLOAT32);
    if (!is_known || !can_compute) return NOT_SUPPORTED;
    if (m == 0 || n == 0) return SUCCESS;
    const float scale = *static_cast<const float*>(alpha), kept = *static_cast<const float*>(beta);
    for (int i = 0; i < batch; i++) {
        const auto left = factor(offset(a, a_type, i * a_stride), a_type, a_leading, a_transposed, m, k, compute);
        const auto right = factor(offset(b, b_type, i * b_stride), b_type, b_leading, b_transposed, k, n, compute);
        std::vector<float> sums(size_t(m) * n);
        add_product(left.data(), right.data(), sums.data(), m, n, k);
        float* out = static_cast<float*>(c) + i * c_stride;
        on_cpu::check(out, (size_t(n - 1) * c_leading + m) * sizeof(float));
        for (int column = 0; column < n; column++)
            for (int row = 0; row < m; row++) {
                float& value = out[row + size_t(column) * c_leading];
                const float sum = scale * sums[row + size_t(column) * m];
                // What is not kept is not read either: it may be NaN.
                value = kept == 0.0f ? sum : sum + kept * value;
            }
    }
    return SUCCESS;
}

int cublasGemmEx(void* handle, int a_operation, int b_operation, int m, int n, int k, const void* alpha, const void* a, int a_type,
                 int a_leading, const void* b, int b_type, int b_leading, const void* beta, void* c, int c_type, int c_leading, int compute,
                 int algorithm) {
    return cublasGemmStridedBatchedEx(handle, a_operation, b_operation, m, n, k, alpha, a, a_type, a_leading, 0, b, b_type, b_leading, 0,
                                      beta, c, c_type, c_leading, 0, 1, compute, algorithm);
}

} // extern "C"
