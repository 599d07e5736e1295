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
// Accuracy, in units in the last place of the result: exp 0.8 (x <= 0; in SoftMax 1), log1p 1.1 (0 <= z <= 1), sigmoid 2, tanh 0.8.
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
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

using at::Tensor;

// --- vectors ---------------------------------------------------------------------------------------------------------

#ifdef __AVX2__
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
#ifdef __F16C__
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
#ifdef __F16C__
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
  static_assert(N<Computed<T>> <= 8);
  for (int step : {4, 2, 1})
    if (count & step) {
      std::memcpy(to, from, step * sizeof(T));
      to += step;
      from += step;
    }
}

template <typename T>
inline V<Computed<T>> load(const T* from, Part part, Computed<T> beyond) {
#ifdef __AVX2__
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

inline double sum(V<double> v) {
  for (int distance = N<double> / 2; distance; distance /= 2) v += exchanged<double>(v, distance);
  return v[0];
}
inline double sum(V<float> v) {
  typedef float Half __attribute__((vector_size(BYTES / 2)));
  Half halves[2];
  std::memcpy(halves, &v, sizeof v);
  return sum(__builtin_convertvector(halves[0], V<double>) + __builtin_convertvector(halves[1], V<double>));
}

// The sum of body(i, ...) over 0..k, in blocks: no number is added to more than a few others in single precision.
template <typename C, typename Body>
inline double sum_of(int64_t k, const Body& body) {
  constexpr int64_t block = 64 * N<C>;
  double total = 0;
  for (int64_t begin = 0; begin < k; begin += block) {
    V<C> part{};
    each_vector<C>(begin, std::min(k, begin + block), [&](int64_t i, auto width) { part += body(i, width); });
    total += sum(part);
  }
  return total;
}

// --- exp and log1p ---------------------------------------------------------------------------------------------------

template <typename C>
struct Format;
template <>
struct Format<float> {
  static constexpr float round = 0x1.8p23f;  // added and subtracted, it rounds to an integer
  static constexpr float lowest = -104;  // exp of it is 0
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr int digits = 23, bias = 127, least = -125;
  // exp(r) = 1 + r + r^2 (c0 + c1 r + ...) for |r| <= log(2) / 2, and log1p(z) = z - s (z - w (c0 + c1 w + ...)) for
  // s = z / (2 + z), w = s^2 <= 1 / 9: the best polynomials (mpmath.chebyfit).
  static constexpr float exp[] = {0.500000001f, 0.166666667f, 0.0416664642f, 0.00833331084f, 0.00139337307f,
                                  0.000198910805f};
  static constexpr float log[] = {0.6666667320527412f, 0.39999706331929717f, 0.2859235799430284f, 0.217065758008804f,
                                  0.23224329224023349f};
};
template <>
struct Format<double> {
  static constexpr double round = 0x1.8p52;
  static constexpr double lowest = -746;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr int digits = 52, bias = 1023, least = -1021;
  static constexpr double exp[] = {0.5, 0.16666666666666671, 0.041666666666666671, 0.0083333333333260838,
                                   0.0013888888888883711, 0.00019841269875002279, 2.4801587325677461e-05,
                                   2.7557255170000888e-06, 2.7557273478718582e-07, 2.5105312729622103e-08,
                                   2.0914755325893202e-09};
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

template <typename C>
inline V<C> power_of_two(I<C> n) {
  return bits<V<C>>((n + Format<C>::bias) << Format<C>::digits);
}

// exp(x) = small * large * (1 + rest), where small and large are powers of two; x <= 0, or NaN.
template <typename C>
struct Exponential {
  V<C> large, small, r, tail;  // rest = r + tail

  explicit Exponential(V<C> x) {
    using Known = Format<C>;
    x = x < Known::lowest ? all<C>(Known::lowest) : x;
    const V<C> shifted = x * static_cast<C>(1.4426950408889634074) + Known::round;
    const V<C> whole = shifted - Known::round;
    const I<C> n = bits<I<C>>(shifted) - bits<I<C>>(all<C>(Known::round));
    const V<C> near = x - whole * Known::ln2_high;
    r = near - whole * Known::ln2_low;
    tail = r * r * polynomial<C>(r, Known::exp) + ((near - r) - whole * Known::ln2_low);
    // Two factors: 2^n alone may be below the normal numbers. Only the last product rounds there.
    const I<C> normal = n < Known::least ? I<C>{} + Known::least : n;
    large = power_of_two<C>(normal);
    small = power_of_two<C>(n - normal);
  }

  V<C> value() const {
    const V<C> sum = 1 + r;
    return (sum + ((r - (sum - 1)) + tail)) * large * small;
  }
  V<C> rough() const { return (large + large * (r + tail)) * small; }  // within 1 unit in the last place
};

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

// --- SoftMax: y = z / sum z for z = exp(x - max x) --------------------------------------------------------------------

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

template <typename T, typename Targets>
void softmax_row(const Job<T>& job, int64_t row, const Targets& targets, Computed<T>* z) {
  using C = Computed<T>;
  const T* x = job.scores + row * job.scores_stride;
  const int64_t k = job.k;
  const V<C> highest = all<C>(largest(x, k));
  const auto exponential = [&](int64_t i, auto width) {
    const V<C> v = Exponential<C>(load(x + i, width, -std::numeric_limits<C>::infinity()) - highest).rough();
    store(z + i, v, Full{});
    return v;
  };
  // mass * P(x) - <x, a> = mass log(sum z) + (mass - sum a) max x + sum a (max x - x); masked: a = 0, x = -inf.
  const auto distance = [&](int64_t i, auto width) {
    const V<C> a = targets.at(i, width);
    return within<C>(a == 0 ? V<C>{} : a * (highest - load(x + i, width, C(0))), width);
  };
  double mass = 1, value = 0, at_label = 0, total;
  bool sharp = false;
  if constexpr (Targets::labels) {
    // The others apart from the labelled class: y - 1 would have lost its digits where y is close to 1.
    const double others = sum_of<C>(k, [&](int64_t i, auto width) {
      const V<C> v = exponential(i, width);
      return targets.in_vector(i) ? (targets.here(i) ? V<C>{} : v) : v;
    });
    const double labelled = z[targets.label], w = job.weight ? job.weight[targets.label] : 1;
    const double on = job.rule.on - job.rule.off, off = job.rule.off;
    total = others + labelled;
    sharp = off == 0;
    mass = job.weight ? on * w + off * job.weight_sum : 1;
    at_label = -on * w * (others / total);
    if (job.kind == IMPLICIT) {
      value = mass * (labelled == 1 ? std::log1p(others) : std::log(total));
      value += off == 0 ? on * w * (static_cast<double>(highest[0]) - static_cast<double>(x[targets.label]))
                        : sum_of<C>(k, distance);
    }
  } else {
    total = sum_of<C>(k, exponential);
    const double sum_a =
        job.weight || job.kind == IMPLICIT
            ? sum_of<C>(k, [&](int64_t i, auto width) { return within<C>(targets.at(i, width), width); })
            : 1;
    mass = job.weight ? sum_a : 1;
    if (job.kind == IMPLICIT) {
      value = mass * std::log(total) + sum_of<C>(k, distance);
      if (mass != sum_a) value += (mass - sum_a) * highest[0];
    }
  }
  if (job.kind == IMPLICIT) job.values[row] = value;
  if (!job.error && job.kind != SQUARES) return;
  const C factor = static_cast<C>(mass / total), scale = job.scale[row * job.scale_stride];
  const V<C> labelled = all<C>(static_cast<C>(at_label));
  const auto error = [&](int64_t i, auto width) {
    const V<C> e = load(z + i, Full{}) * factor - targets.at(i, width);
    if constexpr (Targets::labels) return sharp && targets.in_vector(i) ? (targets.here(i) ? labelled : e) : e;
    return e;
  };
  if (job.kind == SQUARES)
    job.values[row] = sum_of<C>(k, [&](int64_t i, auto width) {
      const V<C> e = within<C>(error(i, width), width);
      return e * e;
    }) / 2;
  if (job.error) {
    T* out = job.error + row * k;
    each_vector<C>(0, k, [&](int64_t i, auto width) { store(out + i, scale * error(i, width), width); });
  }
}

// --- the others: element by element ----------------------------------------------------------------------------------

// Each gives F(x) - a and, if asked, P(x) - a x. Where F(x) may come close to the end of its range, and the target is that
// end, the difference is one formula, so that no digits are lost.
template <typename C>
struct Sigmoid {
  explicit Sigmoid(const Rule&) {}
  template <bool valued>
  V<C> operator()(V<C> x, V<C> a, V<C>& value) const {
    const V<C> q = Exponential<C>(-absolute<C>(x)).value(), one = all<C>(1);
    const V<C> sum = 1 + q, sum_low = q - (sum - 1);
    const I<C> negative = x < 0, top = a == 1;
    const V<C> quotient = ((negative ^ top) ? q : one) / sum, y = quotient - quotient * (sum_low / sum);
    if constexpr (valued) value = ((negative ? V<C>{} : x) - (a == 0 ? V<C>{} : a * x)) + log1p<C>(q);
    return top ? -y : y - a;
  }
};

template <typename C>
struct Tanh {
  explicit Tanh(const Rule&) {}
  template <bool valued>
  V<C> operator()(V<C> x, V<C> a, V<C>& value) const {
    const V<C> size = absolute<C>(x);
    const Exponential<C> power(-2 * size);
    const V<C> q = power.value();
    const I<C> negative = x < 0, close = negative ? a == -1 : a == 1;
    // -m / (2 + m) for m = q - 1, each as a sum of two numbers: q - 1 has lost digits for small x, the quotient for all.
    const V<C> rest = power.r + power.tail, rest_low = power.tail - (rest - power.r);
    const V<C> scale = power.large * power.small, part = scale * rest, less = scale - 1;
    const V<C> m = less + part, m_low = (scale - (less + 1)) + (part - (m - less)) + scale * rest_low;
    const V<C> sum = 2 + m, sum_low = m - (sum - 2) + m_low;
    const V<C> quotient = -m / sum, left = (-m - quotient * sum) - m_low - quotient * sum_low;
    const V<C> y = close ? -2 * q / sum : quotient + left / sum, signed_y = negative ? -y : y;
    if constexpr (valued) value = (size - a * x) + (log1p<C>(q) - static_cast<C>(0.69314718055994530942));
    return close ? signed_y : signed_y - a;
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
    if (out) store(out + i, scale * error, width);
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
      job.values[row] = sum_of<C>(job.k, [&](int64_t i, auto width) {
        write(i, normalizer.template operator()<true>(load(x + i, width, C(0)), targets.at(i, width), value), width);
        return within<C>(value, width);
      });
      break;
    case SQUARES:
      job.values[row] = sum_of<C>(job.k, [&](int64_t i, auto width) {
        const V<C> e =
            normalizer.template operator()<false>(load(x + i, width, C(0)), targets.at(i, width), value);
        write(i, e, width);
        return within<C>(e * e, width);
      }) / 2;
  }
}

// --- all rows --------------------------------------------------------------------------------------------------------

template <typename T, typename Targets>
void row_of(const Job<T>& job, int64_t row, const Targets& targets, Computed<T>* z) {
  using C = Computed<T>;
  switch (job.rule.normalizer) {
    case SOFTMAX:
      return softmax_row(job, row, targets, z);
    case SIGMOID:
      return elementwise_row(job, row, targets, Sigmoid<C>(job.rule));
    case TANH:
      return elementwise_row(job, row, targets, Tanh<C>(job.rule));
    default:
      return elementwise_row(job, row, targets, Clipped<C>(job.rule));
  }
}

template <typename T>
void rows_of(const Job<T>& job, int64_t begin, int64_t end) {
  using C = Computed<T>;
  static thread_local std::vector<C> kept;
  if (job.rule.normalizer == SOFTMAX) kept.resize(job.k + N<C>);
  const Rule& rule = job.rule;
  const C on = static_cast<C>(rule.on), off = static_cast<C>(rule.off);
  for (int64_t row = begin; row < end; ++row) {
    if (!job.labels) {
      row_of(job, row, Soft<C>{static_cast<C>(rule.on - rule.off), off, job.soft + row * job.k, job.weight},
             kept.data());
    } else if (rule.ignores && job.labels[row] == rule.ignored) {
      if (job.kind != NONE) job.values[row] = 0;
      if (job.error) std::memset(static_cast<void*>(job.error + row * job.k), 0, job.k * sizeof(T));
    } else {
      row_of(job, row, Labelled<C>{all<C>(on), all<C>(off), job.labels[row], job.weight}, kept.data());
    }
  }
}

constexpr int64_t GRAIN = 1 << 13;  // scores that are worth a thread

template <typename T>
void run(const Job<T>& job, int64_t rows) {
  at::parallel_for(0, rows, std::max<int64_t>(1, GRAIN / job.k),
                   [&](int64_t begin, int64_t end) { rows_of(job, begin, end); });
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

// Writes scale * (mass * F(x) - a) into `error`, contiguous, unless it is undefined, and the values of the rows into
// `values`. `error` may be the scores themselves.
//
// scale: undefined for 1, one number, or one for each row.
void compute(const Rule& rule, Kind kind, const Tensor& scores, const Tensor& targets, const Tensor& weight,
             const Tensor& scale, const Tensor& error, double* values) {
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
    compute(rule, kind, scores, targets, weight, scale, out, values);
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
      scale = one_number(factor, {}, computed(x.scalar_type()));
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
