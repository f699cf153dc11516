// What stands around the matrix products of dense layers.
#include "launch.cuh"

namespace {

// max(z, 0) that lets NaN through, so that a diverged model is noticed.
__device__ float rectify(float z) { return z < 0.0f ? 0.0f : z; }

__device__ float finished(float z, bool rectified) { return rectified ? rectify(z) : z; }

__device__ float4 finished(float4 z, bool rectified) {
    return rectified ? make_float4(rectify(z.x), rectify(z.y), rectify(z.z), rectify(z.w)) : z;
}

__device__ float sum(float a, float b) { return a + b; }

__device__ float4 sum(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }

// x += bias, one bias row for every `rows_per_bias` rows; then the rectifier, if asked for. One thread a piece of a row, of one
// float or four.
template <typename Piece>
__global__ void add_bias(Piece* x, const Piece* bias, uint32_t pieces, uint32_t per_row, uint32_t rows_per_bias, bool rectified) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= pieces) return;
    const uint32_t row = i / per_row;
    x[i] = finished(sum(x[i], bias[row / rows_per_bias * per_row + (i - row * per_row)]), rectified);
}

__global__ void rectify_all(float* x, size_t count) {
    const size_t i = thread_index();
    if (i < count) x[i] = rectify(x[i]);
}

__device__ float masked(float grad, float y) { return y > 0.0f ? grad : 0.0f; }

__device__ float4 masked(float4 grad, float4 y) {
    return make_float4(masked(grad.x, y.x), masked(grad.y, y.y), masked(grad.z, y.z), masked(grad.w, y.w));
}

template <typename Piece>
__global__ void mask_positive(Piece* grad, const Piece* y, size_t pieces) {
    const size_t i = thread_index();
    if (i < pieces) grad[i] = masked(grad[i], y[i]);
}

constexpr int COLUMNS = 32, LANES = 8;

// Sums over the rows of one run, or over a slice of them: block (columns, run, slice). The order of the sum depends on the sizes
// only.
__global__ void sum_rows(const float* x, float* sums, uint32_t rows, uint32_t width, uint32_t rows_per_slice) {
    __shared__ float partial[LANES][COLUMNS + 1];
    const uint32_t column = blockIdx.x * COLUMNS + threadIdx.x;
    const size_t run = blockIdx.y, slice = blockIdx.z;
    const uint32_t begin = slice * rows_per_slice, end = min(begin + rows_per_slice, rows);
    float sum = 0.0f;
    if (column < width)
        for (uint32_t row = begin + threadIdx.y; row < end; row += LANES) sum += x[(run * rows + row) * width + column];
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || column >= width) return;
    for (int lane = 1; lane < LANES; lane++) sum += partial[lane][threadIdx.x];
    sums[(slice * gridDim.y + run) * width + column] = sum;
}

// The slices' sums, one after the other.
__global__ void add_slices(const float* slices, float* sums, size_t count, uint32_t slice_count) {
    const size_t i = thread_index();
    if (i >= count) return;
    float sum = 0.0f;
    for (uint32_t slice = 0; slice < slice_count; slice++) sum += slices[slice * count + i];
    sums[i] = sum;
}

} // namespace

extern "C" int ctr_add_bias(float* x, const float* bias, size_t count, uint32_t width, uint32_t rows_per_bias, int rectified,
                            cudaStream_t stream) {
    if (count == 0) return 0;
    if (count >= UINT32_MAX) return cudaErrorInvalidValue;
    const bool in_fours = width % 4 == 0 && reinterpret_cast<uintptr_t>(x) % 16 == 0 && reinterpret_cast<uintptr_t>(bias) % 16 == 0;
    if (in_fours)
        add_bias<<<blocks_for(count / 4), THREADS, 0, stream>>>(reinterpret_cast<float4*>(x), reinterpret_cast<const float4*>(bias),
                                                                static_cast<uint32_t>(count / 4), width / 4, rows_per_bias, rectified != 0);
    else
        add_bias<<<blocks_for(count), THREADS, 0, stream>>>(x, bias, static_cast<uint32_t>(count), width, rows_per_bias, rectified != 0);
    return launched();
}

extern "C" int ctr_rectify(float* x, size_t count, cudaStream_t stream) {
    if (count == 0) return 0;
    rectify_all<<<blocks_for(count), THREADS, 0, stream>>>(x, count);
    return launched();
}

extern "C" int ctr_mask_positive(float* grad, const float* y, size_t count, cudaStream_t stream) {
    if (count == 0) return 0;
    if (count % 4 == 0 && reinterpret_cast<uintptr_t>(grad) % 16 == 0 && reinterpret_cast<uintptr_t>(y) % 16 == 0)
        mask_positive<<<blocks_for(count / 4), THREADS, 0, stream>>>(reinterpret_cast<float4*>(grad), reinterpret_cast<const float4*>(y),
                                                                     count / 4);
    else
        mask_positive<<<blocks_for(count), THREADS, 0, stream>>>(grad, y, count);
    return launched();
}

// [runs, rows, width] to [runs, width]. With more than one slice `slices` holds slice_count x runs x width values.
extern "C" int ctr_sum_rows(const float* x, float* sums, float* slices, uint32_t runs, uint32_t rows, uint32_t width,
                            uint32_t rows_per_slice, cudaStream_t stream) {
    if (runs == 0 || width == 0) return 0;
    const uint32_t slice_count = rows == 0 ? 1 : (rows + rows_per_slice - 1) / rows_per_slice;
    const dim3 columns(COLUMNS, LANES);
    // A grid has at most 65,535 blocks along its second axis.
    for (uint32_t first = 0; first < runs; first += 65535) {
        const uint32_t some = min(runs - first, 65535u);
        // With several slices all runs must fit one launch; the caller sees to it.
        float* out = slice_count == 1 ? sums + static_cast<size_t>(first) * width : slices;
        const dim3 grid((width + COLUMNS - 1) / COLUMNS, some, slice_count);
        sum_rows<<<grid, columns, 0, stream>>>(x + static_cast<size_t>(first) * rows * width, out, rows, width, rows_per_slice);
        if (const int error = launched()) return error;
    }
    if (slice_count == 1) return 0;
    const size_t count = static_cast<size_t>(runs) * width;
    add_slices<<<blocks_for(count), THREADS, 0, stream>>>(slices, sums, count, slice_count);
    return launched();
}
