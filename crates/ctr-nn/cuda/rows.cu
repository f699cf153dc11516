// Table rows: gathered by id; and updated by the sums of their look-ups' gradients.
//
// Nothing here is atomic. Look-ups are sorted by row, those of one row stay in the order in which they were made, and are added in
// an order that depends on their number only: the same inputs give the same bits.
#include "launch.cuh"
#include "update_rule.cuh"
#include <cub/device/device_radix_sort.cuh>

namespace {

// One thread a piece of a row, of one float or four. An id out of range reads NaN, so that it is noticed.
template <typename Piece>
__global__ void gather(const Piece* table, const uint32_t* ids, Piece* out, size_t pieces, uint32_t per_row, uint32_t rows,
                       Piece zero, Piece invalid) {
    const size_t i = thread_index();
    if (i >= pieces) return;
    const uint32_t id = ids[i / per_row];
    out[i] = id == PADDING_ROW ? zero : id < rows ? table[static_cast<size_t>(id) * per_row + i % per_row] : invalid;
}

__global__ void number(uint32_t* positions, size_t count) {
    const size_t i = thread_index();
    if (i < count) positions[i] = static_cast<uint32_t>(i);
}

struct Lookups {
    // Sorted rows, padding last, and where each look-up stood before.
    const uint32_t* rows;
    const uint32_t* positions;
    // [look-ups, dim], by position.
    const float* grads;
    size_t count;
    uint32_t dim;
};

struct Table {
    float* values;
    float* state;
    uint32_t rows;
};

__device__ void update(const UpdateRule& rule, const Table& table, uint32_t dim, uint32_t row, uint32_t d, float grad) {
    if (row >= table.rows) return;
    const size_t at = static_cast<size_t>(row) * dim;
    apply_rule(rule, table.values + at + d, table.state + at * state_per_value(rule) + d, dim, grad);
}

// Every `dim` threads add up the look-ups of one tile. A row whose look-ups all lie in the tile is updated at once. What belongs
// to a row that began in an earlier tile goes to `heads`, what belongs to one that ends in a later tile to `tails`.
__global__ void sum_tiles(Lookups lookups, Table table, UpdateRule rule, size_t tiles, uint32_t tile_len, float* heads,
                          float* tails) {
    const size_t thread = thread_index();
    const size_t tile = thread / lookups.dim;
    const uint32_t d = thread % lookups.dim;
    if (tile >= tiles) return;
    const size_t begin = tile * tile_len;
    const size_t end = min(begin + tile_len, lookups.count);
    uint32_t row = lookups.rows[begin];
    bool begins_here = begin == 0 || lookups.rows[begin - 1] != row;
    float sum = 0.0f;
    for (size_t i = begin; i < end; i++) {
        const uint32_t next = lookups.rows[i];
        if (next != row) {
            if (begins_here)
                update(rule, table, lookups.dim, row, d, sum);
            else
                heads[tile * lookups.dim + d] = sum;
            row = next;
            begins_here = true;
            sum = 0.0f;
        }
        if (row < table.rows) sum += lookups.grads[static_cast<size_t>(lookups.positions[i]) * lookups.dim + d];
    }
    const bool ends_here = end == lookups.count || lookups.rows[end] != row;
    if (!begins_here)
        heads[tile * lookups.dim + d] = sum;
    else if (ends_here)
        update(rule, table, lookups.dim, row, d, sum);
    else
        tails[tile * lookups.dim + d] = sum;
}

// The rows that begin in one tile and end in a later one.
__global__ void sum_across_tiles(Lookups lookups, Table table, UpdateRule rule, size_t tiles, uint32_t tile_len,
                                 const float* heads, const float* tails) {
    const size_t thread = thread_index();
    const size_t tile = thread / lookups.dim;
    const uint32_t d = thread % lookups.dim;
    if (tile + 1 >= tiles) return;
    const size_t begin = tile * tile_len;
    const uint32_t row = lookups.rows[begin + tile_len - 1];
    const bool goes_on = lookups.rows[begin + tile_len] == row;
    const bool began_before = begin > 0 && lookups.rows[begin - 1] == row;
    if (!goes_on || began_before || row >= table.rows) return;
    // The last tile that holds some of the row, so that the sums below need not wait for each other's rows.
    size_t low = begin + tile_len, high = lookups.count - 1;
    while (low < high) {
        const size_t middle = (low + high + 1) / 2;
        if (lookups.rows[middle] == row)
            low = middle;
        else
            high = middle - 1;
    }
    const size_t last = low / tile_len;
    float sum = tails[tile * lookups.dim + d];
#pragma unroll 8
    for (size_t next = tile + 1; next <= last; next++) sum += heads[next * lookups.dim + d];
    update(rule, table, lookups.dim, row, d, sum);
}

// Values of whole rows, or of the rows in `active`.
__global__ void update_rows(float* values, float* state, const float* grads, UpdateRule rule, const uint32_t* active,
                            size_t count, uint32_t row_len) {
    const size_t i = thread_index();
    if (i >= count) return;
    const size_t row = active ? active[i / row_len] : i / row_len;
    const size_t at = row * row_len, d = i % row_len;
    apply_rule(rule, values + at + d, state + at * state_per_value(rule) + d, row_len, grads[at + d]);
}

} // namespace

extern "C" int ctr_gather_rows(const float* table, const uint32_t* ids, float* out, size_t count, uint32_t dim, uint32_t rows,
                               cudaStream_t stream) {
    if (count == 0 || dim == 0) return 0;
    const float nan = __builtin_nanf("");
    const bool in_fours = dim % 4 == 0 && reinterpret_cast<uintptr_t>(table) % 16 == 0 && reinterpret_cast<uintptr_t>(out) % 16 == 0;
    if (in_fours) {
        const size_t pieces = count * (dim / 4);
        gather<<<blocks_for(pieces), THREADS, 0, stream>>>(reinterpret_cast<const float4*>(table), ids,
                                                           reinterpret_cast<float4*>(out), pieces, dim / 4, rows,
                                                           make_float4(0, 0, 0, 0), make_float4(nan, nan, nan, nan));
    } else {
        gather<<<blocks_for(count * dim), THREADS, 0, stream>>>(table, ids, out, count * dim, dim, rows, 0.0f, nan);
    }
    return launched();
}

// Bytes of scratch that `ctr_sort_lookups` needs.
extern "C" int ctr_sort_lookups_scratch(size_t count, int bits, size_t* bytes) {
    const uint32_t* in = nullptr;
    uint32_t* out = nullptr;
    return static_cast<int>(cub::DeviceRadixSort::SortPairs(nullptr, *bytes, in, out, in, out, count, 0, bits));
}

// Sorts look-ups by row; `bits` must be enough for the number of rows itself, so that padding sorts behind them.
extern "C" int ctr_sort_lookups(void* scratch, size_t bytes, const uint32_t* ids, uint32_t* rows, uint32_t* numbers,
                                uint32_t* positions, size_t count, int bits, cudaStream_t stream) {
    if (count == 0) return 0;
    number<<<blocks_for(count), THREADS, 0, stream>>>(numbers, count);
    if (const int error = launched()) return error;
    return static_cast<int>(cub::DeviceRadixSort::SortPairs(scratch, bytes, ids, rows, numbers, positions, count, 0, bits, stream));
}

// Updates every row that was looked up, once, by the sum of its gradients. `partial_sums` holds 2 x tiles x dim values.
extern "C" int ctr_update_looked_up(const uint32_t* rows, const uint32_t* positions, const float* grads, size_t count, uint32_t dim,
                                    float* values, float* state, uint32_t table_rows, UpdateRule rule, uint32_t tile_len,
                                    float* partial_sums, cudaStream_t stream) {
    if (count == 0 || dim == 0) return 0;
    const size_t tiles = (count + tile_len - 1) / tile_len;
    const Lookups lookups{rows, positions, grads, count, dim};
    const Table table{values, state, table_rows};
    float* tails = partial_sums + tiles * dim;
    sum_tiles<<<blocks_for(tiles * dim), THREADS, 0, stream>>>(lookups, table, rule, tiles, tile_len, partial_sums, tails);
    if (const int error = launched()) return error;
    sum_across_tiles<<<blocks_for(tiles * dim), THREADS, 0, stream>>>(lookups, table, rule, tiles, tile_len, partial_sums, tails);
    return launched();
}

extern "C" int ctr_update_rows(float* values, float* state, const float* grads, UpdateRule rule, const uint32_t* active,
                               size_t rows, uint32_t row_len, cudaStream_t stream) {
    const size_t count = rows * row_len;
    if (count == 0) return 0;
    update_rows<<<blocks_for(count), THREADS, 0, stream>>>(values, state, grads, rule, active, count, row_len);
    return launched();
}
