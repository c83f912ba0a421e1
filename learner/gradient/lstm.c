/* The loops of recurrence.py over the steps of an LSTM, compiled: the same operations on the same numbers in the same order,
 * so the same bits, in half to nine tenths of the time, and without Python's lock.
 *
 * recurrence.py has the equations and says what the arrays are. It calls these where they can be used (compiled.py) and has
 * its own loops where they cannot. So nothing may be changed here alone. Three things decide about the bits:
 *
 *   - the exponential is Sleef's of torch, which torch's own sigmoid calls for eight numbers at a time;
 *   - products are NumPy's of OpenBLAS, called as NumPy calls them: a single row is a vector;
 *   - no product is added to a sum in one rounding (-ffp-contract=off, and no instruction that does).
 *
 * All arrays are float32, C-contiguous but for `rows`, whose rows are `row` numbers apart. `width` is a multiple of 16.
 */

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 }; /* of CBLAS */

typedef struct {
    __m256 (*exponential)(__m256);
    void (*matrix)(int order, int left_is, int right_is, int64_t rows, int64_t columns, int64_t inner, float alpha,
                   const float *left, int64_t of_left, const float *right, int64_t of_right, float beta, float *out,
                   int64_t of_out);
    void (*vector)(int order, int matrix_is, int64_t rows, int64_t columns, float alpha, const float *matrix,
                   int64_t of_matrix, const float *vector, int64_t of_vector, float beta, float *out, int64_t of_out);
} Means;

static inline __m256 sigmoid(const Means *by, __m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    return _mm256_div_ps(one, _mm256_add_ps(one, by->exponential(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

/* The tanh of what the sigmoid `half` was taken of, halved. */
static inline __m256 tanh_of(__m256 half)
{
    return _mm256_sub_ps(_mm256_add_ps(half, half), _mm256_set1_ps(1.0f));
}

static inline __m256 times_slope(__m256 gradient, __m256 gate)
{
    return _mm256_mul_ps(_mm256_mul_ps(gradient, gate), _mm256_sub_ps(_mm256_set1_ps(1.0f), gate));
}

/* out[rows, columns] = left[rows, inner] @ right[inner, columns] */
static void multiply(const Means *by, int64_t rows, int64_t inner, int64_t columns, const float *left, int64_t of_left,
                     const float *right, int64_t of_right, float *out, int64_t of_out)
{
    if (columns == 0)
        return;
    if (rows == 1)
        by->vector(ROW_MAJOR, TRANSPOSED, inner, columns, 1.0f, right, of_right, left, 1, 0.0f, out, 1);
    else
        by->matrix(ROW_MAJOR, AS_IT_IS, AS_IT_IS, rows, columns, inner, 1.0f, left, of_left, right, of_right, 0.0f, out,
                   of_out);
}

/* counts[ranks]: how many lives have a step of that rank, never increasing. begun: columns of `rows` before those of h. */
void lstm_forward(const Means *by, int64_t ranks, const int64_t *counts, int64_t width, int64_t begun, float *rows,
                  int64_t row, const float *matrix, float *gates, float *hidden, float *cell, float *squashed,
                  float *candidate)
{
    int64_t begin = 0, before = 0;
    for (int64_t rank = 0; rank < ranks; rank++) {
        const int64_t count = counts[rank];
        for (int64_t life = 0; rank && life < count; life++)
            memcpy(rows + (begin + life) * row + begun, hidden + (before + life) * width, width * sizeof(float));
        multiply(by, count, rank ? begun + width : begun, 4 * width, rows + begin * row, row, matrix, 4 * width,
                 gates + begin * 4 * width, 4 * width);
        for (int64_t life = 0; life < count; life++) {
            float *gate = gates + (begin + life) * 4 * width;
            const int64_t here = (begin + life) * width, earlier = (before + life) * width;
            for (int64_t at = 0; at < width; at += 8) {
                const __m256 i = sigmoid(by, _mm256_loadu_ps(gate + at));
                const __m256 f = sigmoid(by, _mm256_loadu_ps(gate + width + at));
                const __m256 half = sigmoid(by, _mm256_loadu_ps(gate + 2 * width + at));
                const __m256 o = sigmoid(by, _mm256_loadu_ps(gate + 3 * width + at));
                const __m256 g = tanh_of(half);
                __m256 c = _mm256_mul_ps(i, g);
                if (rank)
                    c = _mm256_add_ps(c, _mm256_mul_ps(f, _mm256_loadu_ps(cell + earlier + at)));
                const __m256 s = tanh_of(sigmoid(by, _mm256_add_ps(c, c)));
                _mm256_storeu_ps(gate + at, i);
                _mm256_storeu_ps(gate + width + at, f);
                _mm256_storeu_ps(gate + 2 * width + at, half);
                _mm256_storeu_ps(gate + 3 * width + at, o);
                _mm256_storeu_ps(candidate + here + at, g);
                _mm256_storeu_ps(cell + here + at, c);
                _mm256_storeu_ps(squashed + here + at, s);
                _mm256_storeu_ps(hidden + here + at, _mm256_mul_ps(o, s));
            }
        }
        before = begin;
        begin += count;
    }
}

/* Writes the gradients of what was squashed over `gates`, and those of x and h, side by side, into passed[steps, shown +
 * width]; `candidate` is written over. arriving[steps, width]: the gradient of the hidden states. */
void lstm_backward(const Means *by, int64_t ranks, const int64_t *counts, int64_t width, int64_t shown, int64_t steps,
                   const float *matrix, float *gates, const float *cell, const float *squashed, float *candidate,
                   const float *arriving, float *passed)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    const int64_t across = shown + width;
    int64_t end = steps, after = 0;
    for (int64_t rank = ranks - 1; rank >= 0; rank--) {
        const int64_t count = counts[rank], begin = end - count;
        const int64_t before = rank ? begin - counts[rank - 1] : 0;
        for (int64_t life = 0; life < count; life++) {
            float *gate = gates + (begin + life) * 4 * width;
            const float *of_h = passed + (end + life) * across + shown;
            const int64_t here = (begin + life) * width, later = (end + life) * width, earlier = (before + life) * width;
            for (int64_t at = 0; at < width; at += 8) {
                const __m256 i = _mm256_loadu_ps(gate + at), f = _mm256_loadu_ps(gate + width + at);
                const __m256 half = _mm256_loadu_ps(gate + 2 * width + at), o = _mm256_loadu_ps(gate + 3 * width + at);
                const __m256 g = _mm256_loadu_ps(candidate + here + at), s = _mm256_loadu_ps(squashed + here + at);
                __m256 dh = _mm256_loadu_ps(arriving + here + at);
                if (life < after)
                    dh = _mm256_add_ps(dh, _mm256_loadu_ps(of_h + at));
                __m256 dc = _mm256_mul_ps(_mm256_mul_ps(dh, o), _mm256_sub_ps(one, _mm256_mul_ps(s, s)));
                if (life < after)
                    dc = _mm256_add_ps(dc, _mm256_loadu_ps(candidate + later + at));
                __m256 of_f = _mm256_setzero_ps();
                if (rank) {
                    _mm256_storeu_ps(candidate + here + at, _mm256_mul_ps(dc, f)); /* arrives at the step before */
                    of_f = _mm256_mul_ps(dc, _mm256_loadu_ps(cell + earlier + at));
                }
                _mm256_storeu_ps(gate + at, times_slope(_mm256_mul_ps(dc, g), i));
                _mm256_storeu_ps(gate + width + at, times_slope(of_f, f));
                _mm256_storeu_ps(gate + 2 * width + at, times_slope(_mm256_mul_ps(dc, i), half));
                _mm256_storeu_ps(gate + 3 * width + at, times_slope(_mm256_mul_ps(dh, s), o));
            }
        }
        multiply(by, count, 4 * width, rank ? across : shown, gates + begin * 4 * width, 4 * width, matrix, across,
                 passed + begin * across, across);
        end = begin;
        after = count;
    }
}
