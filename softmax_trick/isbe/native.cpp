// The ISBE error F(x) - t of every row, and the value P(x) - <x, t>, on a CPU: what softmax_trick/isbe/native.py builds.
//
// Of a row of scores x with targets a and mass = sum a (1 without class weights; softmax_trick/isbe/targets.py):
//
//     error = scale * (mass * F(x) - a)          value = mass * P(x) - <x, a>, or |mass * F(x) - a|^2 / 2
//
// A row is read once from memory and stays in a cache until it is done. Half types are computed in float and rounded
// once. Subnormal numbers are kept, NaN and infinities lead to what they lead to in torch. No number depends on how many
// threads share the rows.
//
// Accuracy of F(x) and of F(x) - t, in units in the last place of the result, half a unit for its rounding included:
// sigmoid and tanh 0.8; SoftMax 1.7, of a thousand float scores 3.3 for the sum; below the normal numbers 2 of their unit.
// Evidence: tests/test_isbe_native.py, also with the sanitizers for addresses and undefined behaviour.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/PythonTorchFunctionTLS.h>
#include <ATen/autocast_mode.h>
#include <c10/core/SafePyObject.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/PyInterpreter.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/utils/pybind.h>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace {

using at::Tensor;

// --- vectors ---------------------------------------------------------------------------------------------------------

#ifdef __AVX512F__
constexpr int BYTES = 64;
#elif defined(__AVX2__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

template <typename C>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float Numbers __attribute__((vector_size(BYTES)));
  typedef int32_t Integers __attribute__((vector_size(BYTES)));
  using Integer = int32_t;
};
template <>
struct Lanes<double> {
  typedef double Numbers __attribute__((vector_size(BYTES)));
  typedef int64_t Integers __attribute__((vector_size(BYTES)));
  using Integer = int64_t;
};
template <typename C>
using V = typename Lanes<C>::Numbers;
template <typename C>
using I = typename Lanes<C>::Integers;
template <typename C>
constexpr int N = BYTES / sizeof(C);

typedef uint16_t Halves __attribute__((vector_size(BYTES / 2)));
typedef uint32_t Words __attribute__((vector_size(BYTES)));

template <typename To, typename From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <typename C>
inline V<C> all(C number) {
  return number - V<C>{};
}

template <typename C>
inline I<C> places() {  // 0, 1, 2, ...
  I<C> found{};
  for (int lane = 0; lane < N<C>; ++lane) found[lane] = lane;
  return found;
}

// The lane `distance` away: all lanes together in log2 N steps.
template <typename C>
inline V<C> exchanged(V<C> v, int distance) {
  return __builtin_shuffle(v, places<C>() ^ static_cast<typename Lanes<C>::Integer>(distance));
}

// A full vector, and the last numbers of a row, fewer than a vector.
struct Full {};
struct Part {
  int count;

  uint16_t lanes() const { return static_cast<uint16_t>((1u << count) - 1); }
};

template <typename T>
using Computed = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline V<double> load(const double* from, Full) {
  V<double> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline V<float> load(const float* from, Full) {
  V<float> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline V<float> load(const at::BFloat16* from, Full) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return bits<V<float>>(__builtin_convertvector(halves, Words) << 16);
}
inline V<float> load(const at::Half* from, Full) {
  V<float> v;
#ifdef __AVX512F__
  __m256i halves;
  std::memcpy(&halves, from, sizeof halves);
  v = _mm512_cvtph_ps(halves);
#elif defined(__F16C__)
  for (int lane = 0; lane < N<float>; lane += 4) {
    const __m128 four = _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + lane)));
    std::memcpy(reinterpret_cast<float*>(&v) + lane, &four, sizeof four);
  }
#else
  for (int lane = 0; lane < N<float>; ++lane) v[lane] = from[lane];
#endif
  return v;
}

inline void store(double* to, V<double> v, Full) { std::memcpy(to, &v, sizeof v); }
inline void store(float* to, V<float> v, Full) { std::memcpy(to, &v, sizeof v); }
inline void store(at::BFloat16* to, V<float> v, Full) {
  const auto word = bits<Words>(v);
  const Words even = (word + 0x7fff + ((word >> 16) & 1)) >> 16;
  const Words rounded = v == v ? even : Words{} + 0x7fc0;
  const auto halves = __builtin_convertvector(rounded, Halves);
  std::memcpy(to, &halves, sizeof halves);
}
inline void store(at::Half* to, V<float> v, Full) {
#ifdef __AVX512F__
  const __m256i halves = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
  std::memcpy(to, &halves, sizeof halves);
#elif defined(__F16C__)
  for (int lane = 0; lane < N<float>; lane += 4) {
    __m128 four;
    std::memcpy(&four, reinterpret_cast<const float*>(&v) + lane, sizeof four);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + lane), _mm_cvtps_ph(four, _MM_FROUND_TO_NEAREST_INT));
  }
#else
  for (int lane = 0; lane < N<float>; ++lane) to[lane] = static_cast<at::Half>(v[lane]);
#endif
}

template <typename T>
inline void copy(T* to, const T* from, int count) {  // fewer than a vector
  static_assert(N<Computed<T>> <= 16);
  for (int step : {8, 4, 2, 1})
    if (count & step) {
      std::memcpy(to, from, step * sizeof(T));
      to += step;
      from += step;
    }
}

#ifdef __AVX512F__
inline V<float> load(const float* from, Part part, float beyond) {
  return _mm512_mask_loadu_ps(all<float>(beyond), part.lanes(), from);
}
inline V<double> load(const double* from, Part part, double beyond) {
  return _mm512_mask_loadu_pd(all<double>(beyond), part.lanes(), from);
}
inline void store(float* to, V<float> v, Part part) { _mm512_mask_storeu_ps(to, part.lanes(), v); }
inline void store(double* to, V<double> v, Part part) { _mm512_mask_storeu_pd(to, part.lanes(), v); }
#endif
template <typename T>
inline V<Computed<T>> load(const T* from, Part part, Computed<T> beyond) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    const I<float> inside = places<float>() < part.count;
    const auto v = bits<V<float>>(_mm256_maskload_ps(from, bits<__m256i>(inside)));
    return inside ? v : all<float>(beyond);
  }
#endif
  T numbers[N<Computed<T>>];
  std::fill_n(numbers, N<Computed<T>>, static_cast<T>(beyond));
  copy(numbers, from, part.count);
  return load(numbers, Full{});
}
template <typename T>
inline V<Computed<T>> load(const T* from, Full, Computed<T>) {
  return load(from, Full{});
}
template <typename T>
inline void store(T* to, V<Computed<T>> v, Part part) {
  T numbers[N<Computed<T>>];
  store(numbers, v, Full{});
  copy(to, numbers, part.count);
}

// Past the caches, to a place at a multiple of the size: what is not in a cache need not be read before it is written.
inline void stream(void* to, const void* from, size_t size) {
#ifdef __SSE2__
  for (size_t at = 0; at < size; at += 16) {
    __m128i part;
    std::memcpy(&part, static_cast<const char*>(from) + at, sizeof part);
    _mm_stream_si128(reinterpret_cast<__m128i*>(static_cast<char*>(to) + at), part);
  }
#else
  std::memcpy(to, from, size);
#endif
}
template <typename T, typename Width>
inline void store(T* to, V<Computed<T>> v, Width width, bool streams) {
  if (std::is_same_v<Width, Part> || !streams) return store(to, v, width);
  alignas(BYTES) T numbers[N<Computed<T>>];
  store(numbers, v, Full{});
  stream(to, numbers, sizeof numbers);
}

// The lanes that belong to the row; 0 in the others.
template <typename C>
inline V<C> within(V<C> v, Full) {
  return v;
}
template <typename C>
inline V<C> within(V<C> v, Part part) {
  return places<C>() < static_cast<typename Lanes<C>::Integer>(part.count) ? v : V<C>{};
}

template <typename C, typename Body>
inline void each_vector(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + N<C> <= end; i += N<C>) body(i, Full{});
  if (i < end) body(i, Part{static_cast<int>(end - i)});
}

// A sum of two numbers, or of two vectors; in a normal one the second is at most what the first has lost by rounding.
template <typename X>
struct Pair {
  X high, low;

  Pair operator*(X power) const { return {high * power, low * power}; }  // of two
};

// a + b and what its rounding has lost; of any two, and where |a| is the larger one.
template <typename X>
inline Pair<X> exact_sum(X a, X b) {
  const X sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}
template <typename X>
inline Pair<X> fast_sum(X a, X b) {
  const X sum = a + b;
  return {sum, b - (sum - a)};
}

// Sums of scores computed as C: of doubles what is lost is added up, too; a few floats, and many in double, lose little.
template <typename C, typename X>
inline Pair<X> added(Pair<X> a, Pair<X> b) {
  if constexpr (std::is_same_v<C, float>) return {a.high + b.high, a.low + b.low};
  const Pair<X> sum = exact_sum(a.high, b.high);
  return {sum.high, sum.low + (a.low + b.low)};
}

inline Pair<double> sum(Pair<V<double>> v) {
  for (int distance = N<double> / 2; distance; distance /= 2)
    v = added<double>(v, {exchanged<double>(v.high, distance), exchanged<double>(v.low, distance)});
  return {v.high[0], v.low[0]};
}
inline Pair<double> sum(Pair<V<float>> v) {
  typedef float Half __attribute__((vector_size(BYTES / 2)));
  const auto wide = [](V<float> w) {
    Half halves[2];
    std::memcpy(halves, &w, sizeof w);
    return __builtin_convertvector(halves[0], V<double>) + __builtin_convertvector(halves[1], V<double>);
  };
  V<double> all = wide(v.high) + wide(v.low);
  for (int distance = N<double> / 2; distance; distance /= 2) all += exchanged<double>(all, distance);
  return {all[0], 0};
}

// The sum of body(i, ...) over 0..k, in blocks: no number is added to more than a few others in single precision.
template <typename C, typename Body>
inline Pair<double> sum_of(int64_t k, const Body& body) {
  constexpr int64_t block = 16 * N<C>;
  Pair<double> total{};
  for (int64_t begin = 0; begin < k; begin += block) {
    Pair<V<C>> part{};
    each_vector<C>(begin, std::min(k, begin + block), [&](int64_t i, auto width) {
      part = added<C>(part, body(i, width));
    });
    total = added<C>(total, sum(part));
  }
  if (std::is_same_v<C, float> || !std::isfinite(total.high)) return {total.high, 0};  // of infinity the rest is no number
  return fast_sum(total.high, total.low);
}
template <typename C, typename Body>
inline double plain_sum_of(int64_t k, const Body& body) {
  return sum_of<C>(k, [&](int64_t i, auto width) { return Pair<V<C>>{body(i, width), {}}; }).high;
}

// --- exp and log1p ---------------------------------------------------------------------------------------------------

template <typename C>
struct Format;
template <>
struct Format<float> {
  static constexpr float round = 0x1.8p23f;  // added and subtracted, it rounds to an integer
  static constexpr float lowest = -105, far = 256;  // exp(lowest) is 0, and twice as much; far >= -2 lowest
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr int digits = 23, bias = 127, least = -125;
  // exp(r) = 1 + r + r^2 / 2 + r^3 (c0 + c1 r + ...) for |r| <= log(2) / 2, and log1p(z) = z - s (z - w (c0 + c1 w + ...)) for
  // s = z / (2 + z), w = s^2 <= 1 / 9: the best polynomials (mpmath.chebyfit).
  static constexpr float exp[] = {0.166666667f, 0.0416665546f, 0.00833332089f, 0.00139261836f,
                                  0.000198826983f};
  static constexpr float log[] = {0.6666667320527412f, 0.39999706331929717f, 0.2859235799430284f, 0.217065758008804f,
                                  0.23224329224023349f};
};
template <>
struct Format<double> {
  static constexpr double round = 0x1.8p52;
  static constexpr double lowest = -746, far = 2048;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr int digits = 52, bias = 1023, least = -1021;
  static constexpr double exp[] = {0.16666666666666667, 0.041666666666666667, 0.0083333333333300618,
                                   0.0013888888888886553, 0.00019841269863053617, 2.4801587317144499e-05,
                                   2.7557268459997065e-06, 2.7557282969549953e-07, 2.5100385495510319e-08,
                                   2.0911236630261544e-09};
  static constexpr double log[] = {0.66666666666666658561, 0.40000000000014582673, 0.28571428567108757162,
                                   0.22222222717427862989, 0.18181789436132858169, 0.15385570064958623103,
                                   0.1331414420965493615,  0.12001072809590712535, 0.088007384861446738822,
                                   0.16164045611943532221};
};

template <typename C, size_t count>
inline V<C> polynomial(V<C> x, const C (&coefficients)[count]) {
  V<C> found = all<C>(coefficients[count - 1]);
#pragma GCC unroll 16
  for (int power = static_cast<int>(count) - 2; power >= 0; --power) found = found * x + coefficients[power];
  return found;
}

// 2^n for whole n <= 0.
template <typename C>
inline V<C> power_of_two(V<C> n) {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<C, float>)
    return _mm512_scalef_ps(all<C>(1), n);
  else
    return _mm512_scalef_pd(all<C>(1), n);
#else
  // Of two factors: 2^n alone may be below the normal numbers.
  using Known = Format<C>;
  const I<C> whole = bits<I<C>>(n + Known::round) - bits<I<C>>(all<C>(Known::round));
  const I<C> normal = whole < Known::least ? I<C>{} + Known::least : whole;
  const auto power = [](I<C> m) { return bits<V<C>>((m + Known::bias) << Known::digits); };
  return power(normal) * power(whole - normal);
#endif
}

// The n of exp(x) = 2^n (1 + r + tail).
template <typename C>
inline V<C> powers(V<C> x) {
  return (x * static_cast<C>(1.4426950408889634074) + Format<C>::round) - Format<C>::round;
}

// exp(x) = 2^n (1 + r + tail), where r is within log(2) / 2; x finite, or NaN.
template <typename C>
struct Exponential {
  V<C> n, r, cubic, tail;  // tail = r^2 / 2 + cubic

  explicit Exponential(V<C> x) {
    using Known = Format<C>;
    n = powers<C>(x);
    const V<C> near = x - n * Known::ln2_high;
    r = near - n * Known::ln2_low;
    cubic = r * r * r * polynomial<C>(r, Known::exp) + ((near - r) - n * Known::ln2_low);
    tail = r * r * static_cast<C>(0.5) + cubic;
  }

  // r + tail, with r^2 / 2 as an exact square and the rest.
  Pair<V<C>> less_one() const {
    const V<C> high = bits<V<C>>(bits<I<C>>(r) & ~((typename Lanes<C>::Integer{1} << (Format<C>::digits / 2 + 1)) - 1));
    const Pair<V<C>> most = fast_sum(r, high * high * static_cast<C>(0.5));
    return fast_sum(most.high, most.low + ((r - high) * (r + high) * static_cast<C>(0.5) + cubic));
  }
};

// n / d - a, rounded once.
template <typename C>
inline V<C> quotient_less(Pair<V<C>> n, Pair<V<C>> d, V<C> a) {
  const V<C> quotient = n.high / d.high;
  const V<C> rest = (n.high - quotient * d.high) + (n.low - quotient * d.low);
  const Pair<V<C>> most = exact_sum(quotient, -a);
  return most.high + (most.low + rest / d.high);
}

template <typename C>
inline V<C> log1p(V<C> z) {  // 0 <= z <= 1
  const V<C> s = z / (2 + z), w = s * s;
  return z - s * (z - w * polynomial<C>(w, Format<C>::log));
}

template <typename C>
inline V<C> absolute(V<C> x) {
  return bits<V<C>>(bits<I<C>>(x) & std::numeric_limits<typename Lanes<C>::Integer>::max());
}

// --- what is asked for -----------------------------------------------------------------------------------------------

enum Normalizer { SOFTMAX, SIGMOID, TANH, HARDTANH, HARDSIGMOID, HARDSIGMOID_TORCH };
enum Kind { NONE, IMPLICIT, SQUARES };
enum Reduction { EACH, SUM, MEAN };

// How targets are read: on and off are those of the labelled class and of the others, in the normalizer's range.
struct Rule {
  Normalizer normalizer;
  double on, off;
  bool ignores;
  int64_t ignored;

  double low() const { return normalizer == TANH || normalizer == HARDTANH ? -1 : 0; }
};

template <typename T>
struct Job {
  using C = Computed<T>;
  Rule rule;
  Kind kind;
  int64_t k;
  const T* scores;
  int64_t scores_stride;
  T* error;  // or null
  bool streams;  // whether it goes past the caches
  const int64_t* labels;  // or null, then soft targets
  const C* soft;
  const C* weight;  // or null
  double weight_sum;
  const C* scale;
  int64_t scale_stride;
  double* values;  // unless kind is NONE
};

// The targets of a row, `at` its i-th place.
template <typename C>
struct Labelled {
  static constexpr bool labels = true;
  V<C> on, off;
  int64_t label;
  const C* weight;

  // Whether the label is in the vector that begins there, and in which lane: most vectors need not be looked through.
  bool in_vector(int64_t i) const { return static_cast<uint64_t>(label - i) < static_cast<uint64_t>(N<C>); }
  I<C> here(int64_t i) const { return places<C>() == static_cast<typename Lanes<C>::Integer>(label - i); }
  template <typename Width>
  V<C> at(int64_t i, Width width) const {
    const V<C> a = in_vector(i) ? (here(i) ? on : off) : off;
    return weight ? a * load(weight + i, width, C(0)) : a;
  }
};
template <typename C>
struct Soft {
  static constexpr bool labels = false;
  C slope, off;
  const C* targets;
  const C* weight;

  template <typename Width>
  V<C> at(int64_t i, Width width) const {
    const V<C> a = slope * load(targets + i, width, C(0)) + off;
    return weight ? a * load(weight + i, width, C(0)) : a;
  }
};

// --- SoftMax ---------------------------------------------------------------------------------------------------------

// y = z / sum z, where z is exp(x) without the power of two that exp(max x) has. So x - max x, whose rounding would be
// fifty units in the last place of a small y, is not needed. Only where |max x| is so large that exp(x) has to be divided
// by more: there every x - max x that is not too low to count is exact, max x being at most twice x.
template <typename C>
struct Relative {
  C shift;  // 0 or max x
  V<C> top, least;

  explicit Relative(C highest)
      : shift(std::abs(highest) <= Format<C>::far ? 0 : highest),
        top(powers<C>(all<C>(highest - shift))),
        least(all<C>(highest - shift + Format<C>::lowest)) {}

  Pair<V<C>> operator()(V<C> x) const {
    const V<C> from = x - shift;
    const Exponential<C> power(from < least ? least : from);
    const V<C> two = power_of_two<C>(power.n - top);
    return {two, two * (power.r + power.tail)};
  }
  // max x - log exp(max x), in these terms.
  double unit(C highest) const { return top[0] * 0.69314718055994530942 - static_cast<double>(highest - shift); }
};

template <typename T>
inline Computed<T> largest(const T* x, int64_t k) {
  using C = Computed<T>;
  constexpr C least = -std::numeric_limits<C>::infinity();
  V<C> found[4] = {all<C>(least), all<C>(least), all<C>(least), all<C>(least)};
  int64_t i = 0;
  for (; i + 4 * N<C> <= k; i += 4 * N<C>)
    for (int part = 0; part < 4; ++part) {
      const V<C> v = load(x + i + part * N<C>, Full{});
      found[part] = v > found[part] ? v : found[part];
    }
  each_vector<C>(i, k, [&](int64_t j, auto width) {
    const V<C> v = load(x + j, width, least);
    found[0] = v > found[0] ? v : found[0];
  });
  const auto larger = [](V<C> a, V<C> b) { return a > b ? a : b; };
  V<C> highest = larger(larger(found[0], found[1]), larger(found[2], found[3]));
  for (int distance = N<C> / 2; distance; distance /= 2) highest = larger(highest, exchanged<C>(highest, distance));
  return highest[0];
}

// A row on its way: its place, max x, z, and sum z; with labels its parts, the other classes and the labelled one.
template <typename T>
struct Row {
  using C = Computed<T>;
  int64_t at;
  const T* x;
  C* z;
  C* z_low;
  C highest;
  Pair<double> total, others, labelled;
};

template <typename T>
constexpr bool is_half = !std::is_same_v<T, Computed<T>>;  // then nothing is lost that the result could show

template <typename T, typename Targets>
void softmax_sums(const Job<T>& job, Row<T>& row, const Targets& targets) {
  using C = Computed<T>;
  const T* x = row.x;
  const Relative<C> relative(row.highest);
  const auto exponential = [&](int64_t i, auto width) {
    Pair<V<C>> v = relative(load(x + i, width, -std::numeric_limits<C>::infinity()));
    if (is_half<T>) v = {v.high + v.low, V<C>{}};
    if (std::is_same_v<C, double>) v = fast_sum(v.high, v.low);  // `sum_of` asks for it
    store(row.z + i, v.high, Full{});
    if (!is_half<T>) store(row.z_low + i, v.low, Full{});
    return v;
  };
  if constexpr (Targets::labels) {
    // The others apart from the labelled class: y - 1 would have lost its digits where y is close to 1.
    row.others = sum_of<C>(job.k, [&](int64_t i, auto width) {
      const Pair<V<C>> v = exponential(i, width);
      if (!targets.in_vector(i)) return v;
      const I<C> here = targets.here(i);
      return Pair<V<C>>{here ? V<C>{} : v.high, here ? V<C>{} : v.low};
    });
    const double z = row.z[targets.label], z_low = is_half<T> ? 0 : row.z_low[targets.label];
    row.labelled = std::is_same_v<C, float> ? Pair<double>{z + z_low, 0} : Pair<double>{z, z_low};
    row.total = added<C>(row.others, row.labelled);
  } else {
    row.total = sum_of<C>(job.k, exponential);
  }
}

template <typename T, typename Targets>
void softmax_row(const Job<T>& job, const Row<T>& row, const Targets& targets) {
  using C = Computed<T>;
  const T* x = row.x;
  const int64_t k = job.k;
  const C highest = row.highest;
  const Pair<double> total = row.total, others = row.others;
  // mass * P(x) - <x, a> = mass (P(x) - max x) + (mass - sum a) max x + sum a (max x - x); masked: a = 0, x = -inf.
  const auto distance = [&](int64_t i, auto width) {
    const V<C> a = targets.at(i, width);
    return within<C>(a == 0 ? V<C>{} : a * (highest - load(x + i, width, C(0))), width);
  };
  double mass = 1, value = 0;
  bool sharp = false;
  if constexpr (Targets::labels) {
    const double w = job.weight ? job.weight[targets.label] : 1;
    const double on = job.rule.on - job.rule.off, off = job.rule.off;
    sharp = off == 0;
    mass = job.weight ? on * w + off * job.weight_sum : 1;
    if (job.kind == IMPLICIT) {
      constexpr C faint = std::numeric_limits<C>::min() / std::numeric_limits<C>::epsilon();
      if (sharp && row.labelled.high > faint) {
        value = mass * std::log1p(others.high / row.labelled.high);
      } else {
        value = mass * (std::log(total.high) + Relative<C>(highest).unit(highest));
        value += sharp ? on * w * (static_cast<double>(highest) - static_cast<double>(x[targets.label]))
                       : plain_sum_of<C>(k, distance);
      }
    }
  } else {
    const double sum_a =
        job.weight || job.kind == IMPLICIT
            ? plain_sum_of<C>(k, [&](int64_t i, auto width) { return within<C>(targets.at(i, width), width); })
            : 1;
    mass = job.weight ? sum_a : 1;
    if (job.kind == IMPLICIT) {
      value = mass * (std::log(total.high) + Relative<C>(highest).unit(highest)) + plain_sum_of<C>(k, distance);
      if (mass != sum_a) value += (mass - sum_a) * highest;
    }
  }
  if (job.kind == IMPLICIT) job.values[row.at] = value;
  if (!job.error && job.kind != SQUARES) return;
  const double inverse = 1 / total.high;
  const auto of_total = [&](double n, double n_low) {
    const double quotient = n * inverse;
    if (std::is_same_v<C, float>) return Pair<double>{quotient, 0};
    return Pair<double>{quotient, (std::fma(-quotient, total.high, n) + (n_low - quotient * total.low)) * inverse};
  };
  const Pair<double> factors = of_total(mass, 0), share = of_total(others.high, others.low);
  const C factor = static_cast<C>(factors.high), factor_low = static_cast<C>((factors.high - factor) + factors.low);
  const C scale = job.scale[row.at * job.scale_stride];
  V<C> labelled{};
  if constexpr (Targets::labels) {
    const double w = job.weight ? job.weight[targets.label] : 1;
    labelled = all<C>(static_cast<C>(-job.rule.on * w * (share.high + share.low)));
  }
  const auto error = [&](int64_t i, auto width) {
    const V<C> part = load(row.z + i, Full{});
    V<C> rest = -targets.at(i, width);
    if (!is_half<T>) rest = load(row.z_low + i, Full{}) * factor + (part * factor_low + rest);
    const V<C> e = part * factor + rest;
    if constexpr (Targets::labels) return sharp && targets.in_vector(i) ? (targets.here(i) ? labelled : e) : e;
    return e;
  };
  if (job.kind == SQUARES)
    job.values[row.at] = plain_sum_of<C>(k, [&](int64_t i, auto width) {
      const V<C> e = within<C>(error(i, width), width);
      return e * e;
    }) / 2;
  if (job.error) {
    T* out = job.error + row.at * k;
    each_vector<C>(0, k, [&](int64_t i, auto width) { store(out + i, scale * error(i, width), width, job.streams); });
  }
}

// --- the others: element by element ----------------------------------------------------------------------------------

// Each gives F(x) - a and, if asked, P(x) - a x. Where F(x) may come close to the end of its range, and the target is that
// end, the difference is one formula, so that no digits are lost.
// q = exp(-s), s >= 0, and 1 + q, each as a sum of two numbers.
template <typename C>
struct Decay {
  Pair<V<C>> less_one;  // q = scale * (1 + less_one)
  V<C> scale;
  Pair<V<C>> q, sum;

  explicit Decay(V<C> s) {
    const Exponential<C> power(s > -Format<C>::lowest ? all<C>(Format<C>::lowest) : -s);
    less_one = power.less_one();
    scale = power_of_two<C>(power.n);
    q = fast_sum(all<C>(1), less_one.high);
    q = Pair<V<C>>{q.high, q.low + less_one.low} * scale;
    sum = fast_sum(all<C>(1), q.high);
    sum.low += q.low;
  }
};

template <typename C>
struct Sigmoid {
  explicit Sigmoid(const Rule&) {}
  template <bool valued>
  V<C> operator()(V<C> x, V<C> a, V<C>& value) const {
    const Decay<C> decay(absolute<C>(x));
    const I<C> negative = x < 0, top = a == 1, small = negative ^ top;
    const Pair<V<C>> n{small ? decay.q.high : all<C>(1), small ? decay.q.low : V<C>{}};
    const V<C> e = quotient_less<C>(n, decay.sum, top ? V<C>{} : a);
    if constexpr (valued)
      value = ((negative ? V<C>{} : x) - (a == 0 ? V<C>{} : a * x)) + log1p<C>(decay.q.high);
    return top ? -e : e;
  }
};

template <typename C>
struct Tanh {
  explicit Tanh(const Rule&) {}
  template <bool valued>
  V<C> operator()(V<C> x, V<C> a, V<C>& value) const {
    const V<C> size = absolute<C>(x);
    const Decay<C> decay(2 * size);
    const I<C> negative = x < 0;
    const V<C> a_size = negative ? -a : a;  // of |x|
    const I<C> close = a_size == 1;
    // 1 - q, of which 1 and q by itself have lost digits for small x.
    const Pair<V<C>> less = fast_sum(all<C>(1), -decay.scale), rest = fast_sum(less.high, -decay.scale * decay.less_one.high);
    const V<C> low = less.low + rest.low - decay.scale * decay.less_one.low;
    const Pair<V<C>> n{close ? -2 * decay.q.high : rest.high, close ? -2 * decay.q.low : low};
    const V<C> e = quotient_less<C>(n, decay.sum, close ? V<C>{} : a_size);
    if constexpr (valued)
      value = (size - a * x) + (log1p<C>(decay.q.high) - static_cast<C>(0.69314718055994530942));
    return negative ? -e : e;
  }
};

// (x clipped to [-bound, bound], + shift) / width, for which P(x) = x y - clipped^2 / (2 width).
template <typename C>
struct Clipped {
  C bound, shift, width;
  explicit Clipped(const Rule& rule) {
    bound = rule.normalizer == HARDTANH ? 1 : rule.normalizer == HARDSIGMOID ? 2 : 3;
    shift = rule.normalizer == HARDTANH ? 0 : bound;
    width = rule.normalizer == HARDTANH ? 1 : 2 * bound;
  }
  template <bool valued>
  V<C> operator()(V<C> x, V<C> a, V<C>& value) const {
    V<C> clipped = x < -bound ? all<C>(-bound) : x;
    clipped = clipped > bound ? all<C>(bound) : clipped;
    const I<C> top = a == 1;
    const V<C> y = (clipped + (top ? all<C>(shift - width) : all<C>(shift))) / width;
    const V<C> e = top ? y : y - a;
    if constexpr (valued) value = e * x - clipped * clipped / (2 * width);
    return e;
  }
};

template <typename T, typename F, typename Targets>
void elementwise_row(const Job<T>& job, int64_t row, const Targets& targets, const F& normalizer) {
  using C = Computed<T>;
  const T* x = job.scores + row * job.scores_stride;
  T* out = job.error ? job.error + row * job.k : nullptr;
  const C scale = job.scale[row * job.scale_stride];
  const auto write = [&](int64_t i, V<C> error, auto width) {
    if (out) store(out + i, scale * error, width, job.streams);
  };
  V<C> value{};
  switch (job.kind) {
    case NONE:
      each_vector<C>(0, job.k, [&](int64_t i, auto width) {
        V<C> unused;
        write(i, normalizer.template operator()<false>(load(x + i, width, C(0)), targets.at(i, width), unused), width);
      });
      break;
    case IMPLICIT:
      job.values[row] = plain_sum_of<C>(job.k, [&](int64_t i, auto width) {
        write(i, normalizer.template operator()<true>(load(x + i, width, C(0)), targets.at(i, width), value), width);
        return within<C>(value, width);
      });
      break;
    case SQUARES:
      job.values[row] = plain_sum_of<C>(job.k, [&](int64_t i, auto width) {
        const V<C> e =
            normalizer.template operator()<false>(load(x + i, width, C(0)), targets.at(i, width), value);
        write(i, e, width);
        return within<C>(e * e, width);
      }) / 2;
  }
}

// --- all rows --------------------------------------------------------------------------------------------------------

constexpr int TOGETHER = 8;  // rows: while the sums of one are waited for, another is computed

template <typename T, typename TargetsOf>
void rows_together(const Job<T>& job, const int64_t* rows, int count, const TargetsOf& targets_of, Computed<T>* z) {
  using C = Computed<T>;
  const auto each = [&](const auto& normalizer) {
    for (int i = 0; i < count; ++i) elementwise_row(job, rows[i], targets_of(rows[i]), normalizer);
  };
  switch (job.rule.normalizer) {
    case SOFTMAX: {
      Row<T> started[TOGETHER];
      const int64_t width = job.k + N<C>;
      for (int i = 0; i < count; ++i) {
        const T* x = job.scores + rows[i] * job.scores_stride;
        started[i] = {rows[i], x, z + 2 * i * width, z + (2 * i + 1) * width, largest(x, job.k), {}, {}, {}};
      }
      for (int i = 0; i < count; ++i) softmax_sums(job, started[i], targets_of(rows[i]));
      for (int i = 0; i < count; ++i) softmax_row(job, started[i], targets_of(rows[i]));
      return;
    }
    case SIGMOID:
      return each(Sigmoid<C>(job.rule));
    case TANH:
      return each(Tanh<C>(job.rule));
    default:
      return each(Clipped<C>(job.rule));
  }
}

template <typename T>
void rows_of(const Job<T>& job, int64_t begin, int64_t end) {
  using C = Computed<T>;
  const int together = static_cast<int>(std::clamp<int64_t>(512 / job.k, 1, TOGETHER));
  static thread_local std::vector<C> kept;
  if (job.rule.normalizer == SOFTMAX) kept.resize(2 * together * (job.k + N<C>));
  const Rule& rule = job.rule;
  const C on = static_cast<C>(rule.on), off = static_cast<C>(rule.off);
  int64_t rows[TOGETHER];
  int count = 0;
  for (int64_t row = begin; row < end; ++row) {
    if (job.labels && rule.ignores && job.labels[row] == rule.ignored) {
      if (job.kind != NONE) job.values[row] = 0;
      if (job.error) std::memset(static_cast<void*>(job.error + row * job.k), 0, job.k * sizeof(T));
    } else {
      rows[count++] = row;
    }
    if (count < together && row + 1 < end) continue;
    if (job.labels)
      rows_together(job, rows, count, [&](int64_t at) {
        return Labelled<C>{all<C>(on), all<C>(off), job.labels[at], job.weight};
      }, kept.data());
    else
      rows_together(job, rows, count, [&](int64_t at) {
        return Soft<C>{static_cast<C>(rule.on - rule.off), off, job.soft + at * job.k, job.weight};
      }, kept.data());
    count = 0;
  }
}

constexpr int64_t GRAIN = 1 << 13;  // scores that are worth a thread

template <typename T>
void run(const Job<T>& job, int64_t rows) {
  at::parallel_for(0, rows, std::max<int64_t>(1, GRAIN / job.k), [&](int64_t begin, int64_t end) {
    rows_of(job, begin, end);
#ifdef __SSE2__
    if (job.streams) _mm_sfence();  // before another thread reads it
#endif
  });
}

// --- tensors ---------------------------------------------------------------------------------------------------------

// A new tensor; of a large one the pages are to be huge: clearing small ones takes longer than all the rest.
Tensor fresh(at::IntArrayRef shape, at::ScalarType type) {
  Tensor found = at::detail::empty_cpu(shape, type, false, std::nullopt);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t page = 1 << 12, large = 1 << 22;
  if (found.nbytes() >= large) {
    const auto start = (reinterpret_cast<uintptr_t>(found.data_ptr()) + page - 1) & ~(page - 1);
    const auto end = (reinterpret_cast<uintptr_t>(found.data_ptr()) + found.nbytes()) & ~(page - 1);
    madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);  // advice: a failure changes nothing
  }
#endif
  return found;
}

// Dense numbers of a CPU that nobody records, transforms or replaces.
bool is_plain(const Tensor& tensor) {
  if (!tensor.defined()) return true;
  const auto keys = tensor.key_set();
  return tensor.layout() == at::kStrided && tensor.device().is_cpu() && !tensor.is_neg() && !tensor.is_conj() &&
         !tensor._is_zerotensor() && !keys.has(at::DispatchKey::Python) &&
         !keys.has(at::DispatchKey::FuncTorchBatched) && !keys.has(at::DispatchKey::FuncTorchGradWrapper) &&
         !keys.has(at::DispatchKey::Functionalize) && !keys.has(at::DispatchKey::Batched);
}

bool is_watched() { return c10::impl::dispatch_mode_enabled() || at::impl::torch_function_mode_enabled(); }

bool is_score(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}

at::ScalarType computed(at::ScalarType type) { return type == at::kDouble ? at::kDouble : at::kFloat; }

// Whether scores and targets are those of this operator; what is not, or is wrong, is left to torch's operations.
bool fits(const Rule& rule, const Tensor& scores, const Tensor& targets, const Tensor& weight) {
  if (is_watched() || !is_plain(scores) || !is_plain(targets) || !is_plain(weight)) return false;
  if (!is_score(scores.scalar_type()) || scores.dim() == 0 || scores.numel() == 0) return false;
  const int64_t k = scores.size(-1);
  if (k > std::numeric_limits<int32_t>::max() / 2 || targets.requires_grad()) return false;
  if (targets.is_floating_point()) {
    if (targets.sizes() != scores.sizes() || rule.ignores) return false;
  } else if (targets.scalar_type() == at::kBool || !at::isIntegralType(targets.scalar_type(), false) ||
             targets.sizes() != scores.sizes().slice(0, scores.dim() - 1)) {
    return false;
  }
  return !weight.defined() || (rule.normalizer == SOFTMAX && weight.is_floating_point() && weight.dim() == 1 &&
                               weight.size(0) == k && !weight.requires_grad());
}

Tensor contiguous(const Tensor& tensor, at::ScalarType type) {
  if (tensor.scalar_type() == type && tensor.is_contiguous()) return tensor;
  return tensor.to(type).contiguous();
}

// The labels as they are read, none of them out of range: known before anything is written.
Tensor labels_of(const Rule& rule, const Tensor& targets, int64_t k) {
  const Tensor found = contiguous(targets, at::kLong);
  const int64_t* labels = found.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < found.numel(); ++row) {
    const bool inside = labels[row] >= 0 && labels[row] < k;
    TORCH_CHECK_INDEX(inside || (rule.ignores && labels[row] == rule.ignored), "class index ", labels[row], " in row ",
                      row, " is outside 0..", k - 1);
  }
  return found;
}

// Whether an error is so large that no cache would keep it until it is needed, and its vectors lie at multiples of their size.
template <typename T>
bool is_for_streams(const T* error, int64_t rows, int64_t k) {
  constexpr size_t large = 1 << 27, piece = N<Computed<T>> * sizeof(T);
  return rows * k * sizeof(T) >= large && reinterpret_cast<uintptr_t>(error) % piece == 0 &&
         k * sizeof(T) % piece == 0 && piece % 16 == 0;
}

// Writes scale * (mass * F(x) - a) into `error`, contiguous, unless it is undefined, and the values of the rows into
// `values`. `error` may be the scores themselves. A reused one is written past the caches if it is large; the pages of a
// new one have just been cleared.
//
// scale: undefined for 1, one number, or one for each row.
void compute(const Rule& rule, Kind kind, const Tensor& scores, const Tensor& targets, const Tensor& weight,
             const Tensor& scale, const Tensor& error, double* values, bool is_reused = false) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const int64_t k = scores.size(-1), rows = scores.numel() / k;
  const auto type = scores.scalar_type(), wide = computed(type);
  const bool soft = targets.is_floating_point();
  const Tensor t = soft ? contiguous(targets, wide) : labels_of(rule, targets, k);
  const Tensor w = weight.defined() ? contiguous(weight, wide) : weight;
  const Tensor factor = scale.defined() ? contiguous(scale, wide) : scale;
  // A matrix whose rows lie each in one piece is read as it is.
  const bool as_is = scores.is_contiguous() || (scores.dim() == 2 && scores.stride(1) == 1);
  const Tensor x = as_is ? scores : scores.contiguous();
  const int64_t stride = x.is_contiguous() ? k : x.stride(0);
  const auto run_as = [&](auto zero) {
    using T = decltype(zero);
    using C = Computed<T>;
    static constexpr C one = 1;
    Job<T> job;
    job.rule = rule;
    job.kind = kind;
    job.k = k;
    job.scores = x.const_data_ptr<T>();
    job.scores_stride = stride;
    job.error = error.defined() ? error.mutable_data_ptr<T>() : nullptr;
    job.streams = is_reused && is_for_streams(job.error, rows, k);
    job.labels = soft ? nullptr : t.const_data_ptr<int64_t>();
    job.soft = soft ? t.const_data_ptr<C>() : nullptr;
    job.weight = w.defined() ? w.const_data_ptr<C>() : nullptr;
    job.weight_sum = 0;
    if (job.weight)
      for (int64_t i = 0; i < k; ++i) job.weight_sum += job.weight[i];
    job.scale = factor.defined() ? factor.const_data_ptr<C>() : &one;
    job.scale_stride = factor.defined() && factor.numel() > 1 ? 1 : 0;
    job.values = values;
    run(job, rows);
  };
  switch (type) {
    case at::kDouble:
      return run_as(double());
    case at::kBFloat16:
      return run_as(at::BFloat16());
    case at::kHalf:
      return run_as(at::Half());
    default:
      return run_as(float());
  }
}

// The same into a tensor of any strides, or a new one.
Tensor write(const Rule& rule, Kind kind, const Tensor& scores, const Tensor& targets, const Tensor& weight,
             const Tensor& scale, const Tensor& out, double* values) {
  if (out.defined() && out.is_contiguous()) {
    compute(rule, kind, scores, targets, weight, scale, out, values, true);
    out.unsafeGetTensorImpl()->bump_version();
    return out;
  }
  const Tensor error = fresh(scores.sizes(), scores.scalar_type());
  compute(rule, kind, scores, targets, weight, scale, error, values);
  if (!out.defined()) return error;
  const at::NoGradGuard no_grad;
  return out.copy_(error);
}

// Whether the error may be written there: a buffer like the scores that nobody else needs (isbe/error.py says why not).
bool is_buffer(const Tensor& out, const Tensor& scores, const Tensor& targets) {
  if (!out.defined()) return true;
  if (!is_plain(out) || out.sizes() != scores.sizes() || out.scalar_type() != scores.scalar_type() ||
      out.requires_grad() || !out.is_contiguous() || out.is_alias_of(scores) || out.is_alias_of(targets))
    return false;
  const Tensor leaf = scores.is_view() ? Tensor(scores._base()) : scores;
  return !leaf.is_leaf() || !leaf.grad().defined() || !out.is_alias_of(leaf.grad());
}

// --- the loss --------------------------------------------------------------------------------------------------------

// Numbers in pairs, and the pairs in pairs: the roundings of a sum of n add up to log2 n.
double total(const double* numbers, int64_t count) {
  if (count <= 8) {
    double found = 0;
    for (int64_t i = 0; i < count; ++i) found += numbers[i];
    return found;
  }
  return total(numbers, count / 2) + total(numbers + count / 2, count - count / 2);
}

// What a mean divides by: the rows that count; with labels and class weights the sum of their weights.
double denominator(const Rule& rule, const Tensor& scores, const Tensor& targets, const Tensor& weight) {
  const int64_t rows = scores.numel() / scores.size(-1);
  if (targets.is_floating_point() || (!rule.ignores && !weight.defined())) return static_cast<double>(rows);
  const at::AutoDispatchBelowADInplaceOrView below;
  const Tensor t = labels_of(rule, targets, scores.size(-1));
  const Tensor w = weight.defined() ? contiguous(weight, at::kDouble) : weight;
  const int64_t* labels = t.const_data_ptr<int64_t>();
  const double* weights = w.defined() ? w.const_data_ptr<double>() : nullptr;
  double found = 0;
  for (int64_t row = 0; row < rows; ++row)
    if (!rule.ignores || labels[row] != rule.ignored) found += weights ? weights[labels[row]] : 1;
  return found;
}

double number(const Tensor& scalar) {
  switch (scalar.scalar_type()) {
    case at::kFloat:
      return *scalar.const_data_ptr<float>();
    case at::kDouble:
      return *scalar.const_data_ptr<double>();
    default:
      return scalar.item<double>();
  }
}

Tensor one_number(double number, at::IntArrayRef shape, at::ScalarType type) {
  Tensor found = at::detail::empty_cpu(shape, type, false, std::nullopt);
  if (type == at::kFloat)
    std::fill_n(found.mutable_data_ptr<float>(), found.numel(), static_cast<float>(number));
  else if (type == at::kDouble)
    std::fill_n(found.mutable_data_ptr<double>(), found.numel(), number);
  else {
    const at::AutoDispatchBelowADInplaceOrView below;
    found.fill_(number);
  }
  return found;
}

struct ISBEBackward : torch::autograd::Node {
  Rule rule;
  Reduction reduction;
  torch::autograd::SavedVariable scores, targets, weight;
  Tensor kept;  // the error for grad_output = 1, for the first backward pass
  std::unique_ptr<c10::SafePyObject> textbook;  // (function, arguments...): the gradient by differentiable operations

  std::string name() const override { return "ISBEBackward"; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    scores.reset_data();
    targets.reset_data();
    weight.reset_data();
    kept.reset();
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    const Tensor grad_output = std::move(grads[0]);
    if (!grad_output.defined()) return {Tensor()};
    Tensor x, t, w, error;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      x = scores.unpack();
      t = targets.unpack();
      w = weight.unpack();
      error = std::move(kept);
      kept.reset();
    }
    const bool recorded = at::GradMode::is_enabled() && (x.requires_grad() || grad_output.requires_grad());
    if (recorded || is_watched() || !is_plain(grad_output) || !is_plain(x) || grad_output._fw_grad(0).defined() ||
        x._fw_grad(0).defined())
      return {by_definition(grad_output, x, t, w)};
    if (error.defined() && is_one(grad_output)) return {error};
    Tensor scale = grad_output;
    if (reduction != EACH) {
      double factor = number(grad_output);
      if (reduction == MEAN) {
        const double count = denominator(rule, x, t, w);
        factor = count > 0 ? factor / count : 0;
      }
      scale = factor == 1 ? Tensor() : one_number(factor, {}, computed(x.scalar_type()));
    }
    return {write(rule, NONE, x, t, w, scale, error, nullptr)};
  }

  static bool is_one(const Tensor& grad_output) {
    if (grad_output.dim() == 0) return number(grad_output) == 1;
    const at::AutoDispatchBelowADInplaceOrView below;
    return grad_output.eq(1).all().item<bool>();
  }

  Tensor by_definition(const Tensor& grad_output, const Tensor& x, const Tensor& t, const Tensor& w) const {
    const pybind11::gil_scoped_acquire gil;
    const auto call = pybind11::reinterpret_borrow<pybind11::tuple>(textbook->ptr(getPyInterpreter()));
    const auto tensor = [](const Tensor& one) { return pybind11::reinterpret_steal<pybind11::object>(THPVariable_Wrap(one)); };
    const pybind11::object none = pybind11::none();
    const pybind11::object found =
        call[0](tensor(grad_output), tensor(x), tensor(t), w.defined() ? tensor(w) : none, call[1], call[2]);
    return THPVariable_Unpack(found.ptr());
  }
};

Tensor loss(const Rule& rule, Kind kind, Reduction reduction, const Tensor& scores, const Tensor& targets,
            const Tensor& weight, PyObject* textbook) {
  const int64_t rows = scores.numel() / scores.size(-1);
  const auto type = scores.scalar_type();
  const bool half = type == at::kBFloat16 || type == at::kHalf;
  const auto value_type = half && at::autocast::is_autocast_enabled(at::kCPU) ? at::kFloat : type;
  const bool recorded = at::GradMode::is_enabled() && scores.requires_grad();
  Tensor value, kept;
  {
    const pybind11::gil_scoped_release others_run;
    const auto shape = reduction == EACH ? targets.is_floating_point() ? scores.sizes().slice(0, scores.dim() - 1)
                                                                       : targets.sizes()
                                         : at::IntArrayRef();
    if (kind == NONE) {
      if (!targets.is_floating_point()) {
        const at::AutoDispatchBelowADInplaceOrView below;
        labels_of(rule, targets, scores.size(-1));
      }
      value = one_number(std::numeric_limits<double>::quiet_NaN(), shape, value_type);
    } else {
      std::vector<double> values(rows);
      const double count = reduction == MEAN ? denominator(rule, scores, targets, weight) : 1;
      if (recorded) {
        const Tensor scale = reduction == MEAN
                                 ? one_number(count > 0 ? 1 / count : 0, {}, computed(type))
                                 : Tensor();
        kept = write(rule, kind, scores, targets, weight, scale, Tensor(), values.data());
      } else {
        compute(rule, kind, scores, targets, weight, Tensor(), Tensor(), values.data());
      }
      if (reduction == EACH) {
        const at::AutoDispatchBelowADInplaceOrView below;
        value = at::from_blob(values.data(), shape, at::kDouble).to(value_type, false, true);
      } else {
        value = one_number(total(values.data(), rows) / count, {}, value_type);
      }
    }
  }
  if (recorded) {
    auto node = c10::make_intrusive<ISBEBackward>();
    node->rule = rule;
    node->reduction = reduction;
    node->scores = torch::autograd::SavedVariable(scores, false);
    node->targets = torch::autograd::SavedVariable(targets, false);
    node->weight = torch::autograd::SavedVariable(weight, false);
    node->kept = std::move(kept);
    Py_INCREF(textbook);
    node->textbook = std::make_unique<c10::SafePyObject>(textbook, getPyInterpreter());
    node->set_next_edges(torch::autograd::collect_next_edges(scores));
    torch::autograd::set_history(value, node);
  }
  return value;
}

// --- Python ----------------------------------------------------------------------------------------------------------

bool is_tensor(PyObject* object) { return object == Py_None || THPVariable_CheckExact(object); }

Tensor tensor_of(PyObject* object) { return object == Py_None ? Tensor() : THPVariable_Unpack(object); }

Rule rule_of(PyObject* const* arguments) {  // normalizer, on, off, ignored or None
  const bool ignores = arguments[3] != Py_None;
  const Rule rule{static_cast<Normalizer>(PyLong_AsLong(arguments[0])), PyFloat_AsDouble(arguments[1]),
                  PyFloat_AsDouble(arguments[2]), ignores, ignores ? PyLong_AsLongLong(arguments[3]) : 0};
  if (PyErr_Occurred()) throw python_error();
  return rule;
}

void expect(Py_ssize_t count, Py_ssize_t wanted) {
  TORCH_CHECK_TYPE(count == wanted, "expected ", wanted, " arguments, not ", count);
}

// error(scores, targets, weight, out, normalizer, on, off, ignored): the error, or None where torch's operations are
// to compute or to refuse it.
PyObject* py_error(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  expect(count, 8);
  for (int i = 0; i < 4; ++i)
    if (!is_tensor(arguments[i])) Py_RETURN_NONE;
  const Tensor scores = tensor_of(arguments[0]), targets = tensor_of(arguments[1]), weight = tensor_of(arguments[2]);
  const Tensor out = tensor_of(arguments[3]);
  const Rule rule = rule_of(arguments + 4);
  if (!fits(rule, scores, targets, weight) || !is_buffer(out, scores, targets)) Py_RETURN_NONE;
  Tensor error;
  {
    const pybind11::gil_scoped_release others_run;
    error = write(rule, NONE, scores, targets, weight, Tensor(), out, nullptr);
  }
  return THPVariable_Wrap(error);
  END_HANDLE_TH_ERRORS
}

// write(scores, targets, weight, out, normalizer, on, off, ignored, scale, kind): a pair, the error, in `out`, which may
// be the scores, unless it is None, and the values of the rows in float64; or None.
PyObject* py_write(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  expect(count, 10);
  for (int i : {0, 1, 2, 3, 8})
    if (!is_tensor(arguments[i])) Py_RETURN_NONE;
  const Tensor scores = tensor_of(arguments[0]), targets = tensor_of(arguments[1]), weight = tensor_of(arguments[2]);
  const Tensor out = tensor_of(arguments[3]), scale = tensor_of(arguments[8]);
  const Rule rule = rule_of(arguments + 4);
  const auto kind = static_cast<Kind>(PyLong_AsLong(arguments[9]));
  if (PyErr_Occurred()) throw python_error();
  if (!fits(rule, scores, targets, weight) || !is_plain(out) || !is_plain(scale)) Py_RETURN_NONE;
  const int64_t rows = scores.numel() / scores.size(-1);
  if (out.defined() && (out.sizes() != scores.sizes() || out.scalar_type() != scores.scalar_type())) Py_RETURN_NONE;
  if (scale.defined() && scale.numel() != 1 && scale.numel() != rows) Py_RETURN_NONE;
  Tensor error, values;
  {
    const pybind11::gil_scoped_release others_run;
    values = at::detail::empty_cpu({kind == NONE ? 0 : rows}, at::kDouble, false, std::nullopt);
    error = write(rule, kind, scores, targets, weight, scale, out, values.mutable_data_ptr<double>());
  }
  return PyTuple_Pack(2, pybind11::reinterpret_steal<pybind11::object>(THPVariable_Wrap(error)).ptr(),
                      pybind11::reinterpret_steal<pybind11::object>(THPVariable_Wrap(values)).ptr());
  END_HANDLE_TH_ERRORS
}

// loss(scores, targets, weight, normalizer, on, off, ignored, kind, reduction, textbook): the value, or None.
PyObject* py_loss(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  expect(count, 10);
  for (int i = 0; i < 3; ++i)
    if (!is_tensor(arguments[i])) Py_RETURN_NONE;
  const Tensor scores = tensor_of(arguments[0]), targets = tensor_of(arguments[1]), weight = tensor_of(arguments[2]);
  const Rule rule = rule_of(arguments + 3);
  const auto kind = static_cast<Kind>(PyLong_AsLong(arguments[7]));
  const auto reduction = static_cast<Reduction>(PyLong_AsLong(arguments[8]));
  if (PyErr_Occurred()) throw python_error();
  if (!fits(rule, scores, targets, weight)) Py_RETURN_NONE;
  return THPVariable_Wrap(loss(rule, kind, reduction, scores, targets, weight, arguments[9]));
  END_HANDLE_TH_ERRORS
}

template <PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)>
constexpr PyCFunction fast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"error", fast<py_error>(), METH_FASTCALL, nullptr},
    {"write", fast<py_write>(), METH_FASTCALL, nullptr},
    {"loss", fast<py_loss>(), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "softmax_trick_isbe", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_softmax_trick_isbe() { return PyModule_Create(&module); }
