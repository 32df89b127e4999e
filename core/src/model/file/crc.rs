//! CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), four bytes a step.

pub fn crc32(bytes: &[u8]) -> u32 {
    // Made in a few microseconds: as constants they are 4 KB that no visitor's download can compress.
    let tables = tables();
    let (words, rest) = bytes.as_chunks::<4>();
    let mut crc = !0u32;
    for word in words {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
        crc = tables[3][a as usize]
            ^ tables[2][b as usize]
            ^ tables[1][c as usize]
            ^ tables[0][d as usize];
    }
    for &byte in rest {
        crc = crc >> 8 ^ tables[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0u32; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 4 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = crc >> 8 ^ tables[0][(crc & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
