//! Distributions: normal, Student's t, χ².
//!
//! Only `libm`, additions and square roots: every host gets the same bits.

use libm::{erfc, exp, fabs, lgamma, log, log1p};

const SQRT_2: f64 = core::f64::consts::SQRT_2;
/// 1/√(2π).
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// The normal density at `z`.
#[must_use]
pub fn normal_density(z: f64) -> f64 {
    DENSITY_AT_ZERO * exp(-0.5 * z * z)
}

/// P(Z ≤ z), accurate in the lower tail.
#[must_use]
pub fn normal_below(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// P(Z > z), accurate in the upper tail.
#[must_use]
pub fn normal_above(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// The z with P(Z ≤ z) = `p`; infinite at 0 and 1, NaN outside.
///
/// Wichura 1988, algorithm AS 241 (PPND16), relative error about 1e-16.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if fabs(q) <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let r = (-log(tail)).sqrt();
    let z = if r <= 5.0 {
        polynomial(&TAIL.0, r - 1.6) / polynomial(&TAIL.1, r - 1.6)
    } else {
        polynomial(&FAR.0, r - 5.0) / polynomial(&FAR.1, r - 5.0)
    };
    if q < 0.0 { -z } else { z }
}

/// P(T > t) of Student's t with `freedom` degrees of freedom (> 0, need not be whole).
///
/// Up to 100,000 degrees the incomplete beta function, above them Hill's expansion
/// (Hill 1970, algorithm 395), whose relative error there is below 1e-14.
#[must_use]
pub fn t_above(t: f64, freedom: f64) -> f64 {
    if t.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if t < 0.0 {
        return 1.0 - t_above(-t, freedom);
    }
    if freedom > 1e5 {
        return normal_above(hill(t, freedom));
    }
    let square = t * t;
    if square.is_infinite() {
        return 0.0;
    }
    let (x, rest) = (freedom / (freedom + square), square / (freedom + square));
    0.5 * incomplete_beta(0.5 * freedom, x, rest)
}

/// The t with P(T ≤ t) = `p`; infinite at 0 and 1, NaN outside.
#[must_use]
pub fn t_quantile(p: f64, freedom: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || freedom.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if p < 0.5 {
        return -upper_t(p, freedom);
    }
    upper_t(1.0 - p, freedom)
}

/// P(X > x) of χ² with `freedom` degrees of freedom.
#[must_use]
pub fn chi_squared_above(x: f64, freedom: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    incomplete_gamma_above(0.5 * freedom, 0.5 * x)
}

/// The t ≥ 0 with P(T > t) = `tail` ≤ ½: bisection that Newton's steps speed up.
fn upper_t(tail: f64, freedom: f64) -> f64 {
    if tail <= 0.0 {
        return f64::INFINITY;
    }
    let mut low = 0.0;
    let mut high = 1.0;
    while t_above(high, freedom) > tail && high < f64::MAX {
        low = high;
        high *= 2.0;
    }
    let mut t = 0.5 * (low + high);
    for _ in 0..200 {
        let miss = t_above(t, freedom) - tail;
        if miss > 0.0 {
            low = t;
        } else {
            high = t;
        }
        let step = t + miss / t_density(t, freedom);
        let next = if step > low && step < high { step } else { 0.5 * (low + high) };
        if fabs(next - t) <= 1e-15 * t {
            return next;
        }
        t = next;
    }
    t
}

fn t_density(t: f64, freedom: f64) -> f64 {
    let shape = -0.5 * (freedom + 1.0) * log1p(t * t / freedom);
    exp(shape + half_step(0.5 * freedom)) / (freedom * core::f64::consts::PI).sqrt()
}

/// ln Γ(a + ½) − ln Γ(a); the difference of large logarithms would lose digits, the series does not.
fn half_step(a: f64) -> f64 {
    if a < 50.0 {
        return lgamma(a + 0.5) - lgamma(a);
    }
    let r = 1.0 / (a * a);
    0.5 * log(a) - (1.0 / 8.0 - r * (1.0 / 192.0 - r * (1.0 / 640.0 - r * 17.0 / 14_336.0))) / a
}

/// The z whose normal tail is that of `t`.
fn hill(t: f64, freedom: f64) -> f64 {
    let a = freedom - 0.5;
    let b = 48.0 * a * a;
    let y = a * log1p(t * t / freedom);
    let z = y.sqrt();
    let far =
        ((((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b) + y + 3.0) / b;
    (far + 1.0) * z
}

/// I_x(a, ½), with 1 − x beside x so that neither loses digits: Lentz's continued fraction
/// (Press et al., Numerical Recipes, 6.4).
fn incomplete_beta(a: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    let power = if rest < 0.5 { log1p(-rest) } else { log(x) };
    let front = exp(half_step(a) + a * power) * (rest / core::f64::consts::PI).sqrt();
    if x < (a + 1.0) / (a + 2.5) {
        front * beta_fraction(a, 0.5, x) / a
    } else {
        1.0 - front * beta_fraction(0.5, a, rest) / 0.5
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    for step in 1..10_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        product *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        product *= d * c;
        if fabs(d * c - 1.0) < 2e-16 {
            break;
        }
    }
    product
}

/// Q(a, x): the series below a + 1, the continued fraction above (Numerical Recipes, 6.2).
fn incomplete_gamma_above(a: f64, x: f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    let front = exp(a * log(x) - x - lgamma(a));
    if x < a + 1.0 {
        let mut term = 1.0 / a;
        let mut total = term;
        for step in 1..10_000_u32 {
            term *= x / (a + f64::from(step));
            total += term;
            if term < total * 1e-17 {
                break;
            }
        }
        return 1.0 - front * total;
    }
    let mut b = x + 1.0 - a;
    let mut c = 1e300;
    let mut d = 1.0 / away_from_zero(b);
    let mut product = d;
    for step in 1..10_000_u32 {
        let i = f64::from(step);
        b += 2.0;
        d = 1.0 / away_from_zero(b - i * (i - a) * d);
        c = away_from_zero(b - i * (i - a) / c);
        product *= d * c;
        if fabs(d * c - 1.0) < 2e-16 {
            break;
        }
    }
    front * product
}

fn away_from_zero(x: f64) -> f64 {
    if fabs(x) < 1e-300 { 1e-300 } else { x }
}

/// Coefficients from the constant upward.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |value, coefficient| value * x + coefficient)
}

type Rational = ([f64; 8], [f64; 8]);

const CENTRE: Rational = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ],
);
const TAIL: Rational = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_8e-9,
    ],
);
const FAR: Rational = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_94e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, theirs: f64) {
        assert!(fabs(ours - theirs) <= 1e-12 * fabs(theirs), "{ours} is not {theirs}");
    }

    // The expected figures are SciPy 1.15's.
    #[test]
    fn distributions_are_scipys_to_twelve_digits() {
        for (z, theirs) in [
            (-37.0, 5.7255712225239266e-300),
            (-3.3, 0.00048342414238377744),
            (-0.4, 0.3445782583896758),
            (0.7, 0.758036347776927),
            (2.5, 0.9937903346742238),
        ] {
            close(normal_below(z), theirs);
        }
        for (p, theirs) in [
            (1e-300, -37.0470962993612),
            (1e-20, -9.262340089798409),
            (0.003, -2.7477813854449926),
            (0.3, -0.5244005127080409),
            (0.6, 0.2533471031357997),
            (0.975, 1.959963984540054),
        ] {
            close(normal_quantile(p), theirs);
        }
        for (x, freedom, theirs) in [
            (0.1, 1.0, 0.4682744825694465),
            (4.0, 1.0, 0.07797913037736932),
            (20.0, 1.0, 0.015902251256176374),
            (0.1, 7.0, 0.4615740298023962),
            (4.0, 7.0, 0.0025949566746484064),
            (20.0, 7.0, 9.774413554001994e-08),
            (0.1, 88.3, 0.4602855100315882),
            (4.0, 88.3, 6.56568247014583e-05),
            (20.0, 88.3, 7.54404469547138e-35),
            (0.1, 999.0, 0.4601821945423556),
            (4.0, 999.0, 3.4007354919019706e-05),
            (20.0, 999.0, 2.083692246521408e-75),
            (0.1, 1001.0, 0.46018217450128707),
            (4.0, 1001.0, 3.4002569194844555e-05),
            (20.0, 1001.0, 1.9800027435948903e-75),
            (0.1, 50000.0, 0.46017236318350296),
            (4.0, 50000.0, 3.171676734042598e-05),
            (20.0, 50000.0, 6.1266974873101914e-89),
            (0.1, 100000000.0, 0.46017216282320156),
            (4.0, 100000000.0, 3.1671264584264114e-05),
            (20.0, 100000000.0, 2.7547312883288845e-89),
        ] {
            close(t_above(x, freedom), theirs);
        }
        for (p, freedom, theirs) in [
            (0.6, 1.0, 0.32491969623290634),
            (0.9999, 1.0, 3183.098757118502),
            (0.6, 2.5, 0.2814595127485477),
            (0.9999, 2.5, 34.867969321116306),
            (0.6, 88.3, 0.25411178973422227),
            (0.9999, 88.3, 3.8812165537345935),
            (0.6, 1001.0, 0.25341444848349826),
            (0.9999, 1001.0, 3.732837737396866),
            (0.6, 100000000.0, 0.2533471038098203),
            (0.9999, 100000000.0, 3.719016623348324),
        ] {
            close(t_quantile(p, freedom), theirs);
        }
        for (x, freedom, theirs) in [
            (0.2, 1.0, 0.6547208460185768),
            (3.0, 1.0, 0.08326451666355042),
            (60.0, 1.0, 9.485737571073857e-15),
            (0.2, 5.0, 0.9991138612111875),
            (3.0, 5.0, 0.6999858358786276),
            (60.0, 5.0, 1.2154569777183007e-11),
            (0.2, 40.0, 1.0),
            (3.0, 40.0, 0.9999999999999997),
            (60.0, 40.0, 0.02187346844139091),
        ] {
            close(chi_squared_above(x, freedom), theirs);
        }
    }

    #[test]
    fn quantiles_and_tails_undo_each_other() {
        for freedom in [1.0, 2.0, 3.7, 30.0, 999.0, 1001.0, 1e7] {
            for p in [0.001, 0.2, 0.5, 0.9, 0.975, 0.999_999] {
                let t = t_quantile(p, freedom);
                close(1.0 - t_above(t, freedom), p);
            }
        }
        for p in [1e-300, 1e-10, 0.02, 0.3, 0.5, 0.99] {
            close(normal_below(normal_quantile(p)), p);
        }
    }
}
