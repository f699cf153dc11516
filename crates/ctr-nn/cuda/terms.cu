// The loss, the pairwise term of factorization machines, and the means of fields with several values.
#include "launch.cuh"

namespace {

// Binary cross-entropy, sum_b w (max(z, 0) - z y + ln(1 + exp(-|z|))), of the `blockIdx.y`th slice of a replica.
__global__ void bce(const float* logits, const float* targets, const float* weights, float* losses, uint32_t batch,
                    uint32_t slice_len) {
    extern __shared__ float partial[];
    const size_t first = static_cast<size_t>(blockIdx.x) * batch;
    const uint32_t begin = blockIdx.y * slice_len, end = min(begin + slice_len, batch);
    float sum = 0.0f;
    for (uint32_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
        const float z = logits[first + i];
        sum += weights[first + i] * (fmaxf(z, 0.0f) - z * targets[first + i] + log1pf(expf(-fabsf(z))));
    }
    partial[threadIdx.x] = sum;
    for (uint32_t half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    }
    if (threadIdx.x == 0) losses[static_cast<size_t>(blockIdx.x) * gridDim.y + blockIdx.y] = partial[0];
}

// Its gradient: g w (sigmoid(z) - y), with one g per replica.
__global__ void bce_grad(const float* logits, const float* targets, const float* weights, const float* grad, float* out,
                         size_t count, uint32_t batch) {
    const size_t i = thread_index();
    if (i >= count) return;
    out[i] = grad[i / batch] * weights[i] * (1.0f / (1.0f + expf(-logits[i])) - targets[i]);
}

// 1/2 sum_d ((sum_f v)^2 - sum_f v^2). A block has `blockDim.y` samples, `blockDim.x` threads each.
__global__ void fm_pairs(const float* v, float* terms, size_t samples, uint32_t fields, uint32_t dim) {
    extern __shared__ float partial[];
    const size_t sample = static_cast<size_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    float* own = partial + threadIdx.y * blockDim.x;
    float term = 0.0f;
    if (sample < samples) {
        for (uint32_t d = threadIdx.x; d < dim; d += blockDim.x) {
            float sum = 0.0f, squares = 0.0f;
            for (uint32_t f = 0; f < fields; f++) {
                const float value = v[(sample * fields + f) * dim + d];
                sum += value;
                squares += value * value;
            }
            term += sum * sum - squares;
        }
    }
    own[threadIdx.x] = term;
    __syncthreads();
    if (threadIdx.x != 0 || sample >= samples) return;
    for (uint32_t lane = 1; lane < blockDim.x; lane++) term += own[lane];
    terms[sample] = 0.5f * term;
}

// sum_f v of every sample, [samples, fields, dim] to [samples, dim].
__global__ void sum_fields(const float* v, float* sums, size_t columns, uint32_t fields, uint32_t dim) {
    const size_t i = thread_index();
    if (i >= columns) return;
    const size_t first = i / dim * fields * dim + i % dim;
    float sum = 0.0f;
    for (uint32_t f = 0; f < fields; f++) sum += v[first + static_cast<size_t>(f) * dim];
    sums[i] = sum;
}

// The same value for every field, [samples, dim] to [samples, fields, dim].
__global__ void repeat_fields(const float* of_samples, float* out, size_t count, uint32_t fields, uint32_t dim) {
    const size_t i = thread_index();
    if (i < count) out[i] = of_samples[i / dim / fields * dim + i % dim];
}

// grad (sum_f v - v) for every field, written or added.
template <bool ADDED>
__global__ void fm_pairs_grad(const float* v, const float* grad, float* out, size_t columns, uint32_t fields, uint32_t dim) {
    const size_t i = thread_index();
    if (i >= columns) return;
    const size_t sample = i / dim, first = sample * fields * dim + i % dim;
    const float g = grad[sample];
    float sum = 0.0f;
    for (uint32_t f = 0; f < fields; f++) sum += v[first + static_cast<size_t>(f) * dim];
    for (uint32_t f = 0; f < fields; f++) {
        const size_t at = first + static_cast<size_t>(f) * dim;
        const float of_field = g * (sum - v[at]);
        out[at] = ADDED ? out[at] + of_field : of_field;
    }
}

// The mean of each field's look-ups; field f has the look-ups starts[f] .. starts[f + 1] of a sample.
__global__ void field_means(const float* lookups, const float* weights, const uint32_t* starts, float* out, size_t count,
                            uint32_t fields, uint32_t slots, uint32_t dim) {
    const size_t i = thread_index();
    if (i >= count) return;
    const uint32_t d = i % dim, f = i / dim % fields;
    const size_t first = i / dim / fields * slots;
    float mean = 0.0f;
    for (uint32_t slot = starts[f]; slot < starts[f + 1]; slot++) {
        // A padding row is zero, but zero times an overflown value is not.
        const float weight = weights[first + slot];
        if (weight != 0.0f) mean += weight * lookups[(first + slot) * dim + d];
    }
    out[i] = mean;
}

// The gradient of every look-up: its weight times that of its field.
__global__ void field_means_grad(const float* grad, const float* weights, const uint32_t* field_of, float* out, size_t count,
                                 uint32_t fields, uint32_t slots, uint32_t dim) {
    const size_t i = thread_index();
    if (i >= count) return;
    const size_t lookup = i / dim, sample = lookup / slots;
    out[i] = weights[lookup] * grad[(sample * fields + field_of[lookup % slots]) * dim + i % dim];
}

uint32_t power_of_two_up_to(uint32_t most, uint32_t wanted) {
    uint32_t size = 1;
    while (size < wanted && size < most) size *= 2;
    return size;
}

} // namespace

// `losses` holds one value for every replica and slice.
extern "C" int ctr_bce(const float* logits, const float* targets, const float* weights, float* losses, uint32_t replicas,
                       uint32_t batch, uint32_t slice_len, cudaStream_t stream) {
    if (replicas == 0 || batch == 0) return 0;
    const uint32_t threads = power_of_two_up_to(256, min(batch, slice_len));
    const dim3 grid(replicas, (batch + slice_len - 1) / slice_len);
    bce<<<grid, threads, threads * sizeof(float), stream>>>(logits, targets, weights, losses, batch, slice_len);
    return launched();
}

extern "C" int ctr_bce_grad(const float* logits, const float* targets, const float* weights, const float* grad, float* out,
                            uint32_t replicas, uint32_t batch, cudaStream_t stream) {
    const size_t count = static_cast<size_t>(replicas) * batch;
    if (count == 0) return 0;
    bce_grad<<<blocks_for(count), THREADS, 0, stream>>>(logits, targets, weights, grad, out, count, batch);
    return launched();
}

extern "C" int ctr_fm_pairs(const float* v, float* terms, size_t samples, uint32_t fields, uint32_t dim, cudaStream_t stream) {
    if (samples == 0) return 0;
    const uint32_t lanes = power_of_two_up_to(THREADS, dim), per_block = THREADS / lanes;
    fm_pairs<<<blocks_for(samples, per_block), dim3(lanes, per_block), THREADS * sizeof(float), stream>>>(v, terms, samples, fields, dim);
    return launched();
}

extern "C" int ctr_fm_pairs_grad(const float* v, const float* grad, float* out, size_t samples, uint32_t fields, uint32_t dim,
                                 int added, cudaStream_t stream) {
    const size_t columns = samples * dim;
    if (columns == 0) return 0;
    if (added)
        fm_pairs_grad<true><<<blocks_for(columns), THREADS, 0, stream>>>(v, grad, out, columns, fields, dim);
    else
        fm_pairs_grad<false><<<blocks_for(columns), THREADS, 0, stream>>>(v, grad, out, columns, fields, dim);
    return launched();
}

extern "C" int ctr_sum_fields(const float* v, float* sums, size_t samples, uint32_t fields, uint32_t dim, cudaStream_t stream) {
    const size_t columns = samples * dim;
    if (columns == 0) return 0;
    sum_fields<<<blocks_for(columns), THREADS, 0, stream>>>(v, sums, columns, fields, dim);
    return launched();
}

extern "C" int ctr_repeat_fields(const float* of_samples, float* out, size_t samples, uint32_t fields, uint32_t dim,
                                 cudaStream_t stream) {
    const size_t count = samples * fields * dim;
    if (count == 0) return 0;
    repeat_fields<<<blocks_for(count), THREADS, 0, stream>>>(of_samples, out, count, fields, dim);
    return launched();
}

extern "C" int ctr_field_means(const float* lookups, const float* weights, const uint32_t* starts, float* out, size_t samples,
                               uint32_t fields, uint32_t slots, uint32_t dim, cudaStream_t stream) {
    const size_t count = samples * fields * dim;
    if (count == 0) return 0;
    field_means<<<blocks_for(count), THREADS, 0, stream>>>(lookups, weights, starts, out, count, fields, slots, dim);
    return launched();
}

extern "C" int ctr_field_means_grad(const float* grad, const float* weights, const uint32_t* field_of, float* out, size_t samples,
                                    uint32_t fields, uint32_t slots, uint32_t dim, cudaStream_t stream) {
    const size_t count = samples * slots * dim;
    if (count == 0) return 0;
    field_means_grad<<<blocks_for(count), THREADS, 0, stream>>>(grad, weights, field_of, out, count, fields, slots, dim);
    return launched();
}
