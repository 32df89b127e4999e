/** A lead model of your own: the same as in ../rust, in AssemblyScript. */

/** Room for a row of 512 values: every call gets a new instance, so that one row is all there is. */
const ROW = memory.data(4096, 8);

/** Gives the caller room for a row. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  assert(size <= 4096);
  return ROW;
}

/** The probability, from 0 to 1, of the row that the caller wrote there. */
export function score(row: usize, length: i32): f64 {
  if (length != 3) return NaN;
  const visits = load<f64>(row);
  const firstVisit = load<f64>(row, 8);
  const country = load<f64>(row, 16);
  let odds = 0.02 / 0.98;
  if (visits >= 10) odds *= 8;
  else if (visits >= 3) odds *= 2.5;
  else if (visits < 3) odds *= 0.7;
  if (firstVisit < 20454) odds *= 1.9;
  if (country == 0) odds *= 3;
  else if (country == 1) odds *= 1.4;
  return odds / (1 + odds);
}
