//! Four single-precision numbers at once: one SIMD128 register in a page, four lanes elsewhere.
//! Every operation works lane by lane and rounds once, so that all hosts give the same bits.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        f32x4_add, f32x4_div, f32x4_extract_lane, f32x4_mul, f32x4_splat, f32x4_sub, v128,
    };

    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub struct Lanes(v128);

    impl Lanes {
        #[inline(always)]
        pub fn splat(x: f32) -> Lanes {
            Lanes(f32x4_splat(x))
        }
        #[inline(always)]
        pub fn new([a, b, c, d]: [f32; 4]) -> Lanes {
            Lanes(core::arch::wasm32::f32x4(a, b, c, d))
        }
        #[inline(always)]
        pub fn get(self) -> [f32; 4] {
            [
                f32x4_extract_lane::<0>(self.0),
                f32x4_extract_lane::<1>(self.0),
                f32x4_extract_lane::<2>(self.0),
                f32x4_extract_lane::<3>(self.0),
            ]
        }
        #[inline(always)]
        pub fn plus(self, other: Lanes) -> Lanes {
            Lanes(f32x4_add(self.0, other.0))
        }
        #[inline(always)]
        pub fn minus(self, other: Lanes) -> Lanes {
            Lanes(f32x4_sub(self.0, other.0))
        }
        #[inline(always)]
        pub fn times(self, other: Lanes) -> Lanes {
            Lanes(f32x4_mul(self.0, other.0))
        }
        #[inline(always)]
        pub fn over(self, other: Lanes) -> Lanes {
            Lanes(f32x4_div(self.0, other.0))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    pub struct Lanes([f32; 4]);

    impl Lanes {
        #[inline(always)]
        pub fn splat(x: f32) -> Lanes {
            Lanes([x; 4])
        }
        #[inline(always)]
        pub fn new(lanes: [f32; 4]) -> Lanes {
            Lanes(lanes)
        }
        #[inline(always)]
        pub fn get(self) -> [f32; 4] {
            self.0
        }
        #[inline(always)]
        pub fn plus(self, other: Lanes) -> Lanes {
            Lanes(core::array::from_fn(|lane| self.0[lane] + other.0[lane]))
        }
        #[inline(always)]
        pub fn minus(self, other: Lanes) -> Lanes {
            Lanes(core::array::from_fn(|lane| self.0[lane] - other.0[lane]))
        }
        #[inline(always)]
        pub fn times(self, other: Lanes) -> Lanes {
            Lanes(core::array::from_fn(|lane| self.0[lane] * other.0[lane]))
        }
        #[inline(always)]
        pub fn over(self, other: Lanes) -> Lanes {
            Lanes(core::array::from_fn(|lane| self.0[lane] / other.0[lane]))
        }
    }
}

pub use imp::Lanes;
