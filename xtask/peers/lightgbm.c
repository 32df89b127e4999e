/* LightGBM's fastest way to score one row: lightgbm LIBRARY MODEL ROWS.f64 WIDTH, prints µs a row (the best rounds of each slice). */
#define _POSIX_C_SOURCE 199309L
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int (*create_fn)(const char *, int *, void **);
typedef int (*init_fn)(void *, int, int, int, int, int32_t, const char *, void **);
typedef int (*predict_fn)(void *, const void *, int64_t *, double *);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 3;
  create_fn create = (create_fn)dlsym(library, "LGBM_BoosterCreateFromModelfile");
  init_fn init = (init_fn)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFastInit");
  predict_fn predict = (predict_fn)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFast");
  int iterations, width = atoi(arguments[4]);
  void *booster, *fast;
  const int normal = 0, float64 = 1;
  if (create(arguments[2], &iterations, &booster)) return 4;
  if (init(booster, normal, 0, -1, float64, width, "num_threads=1 verbosity=-1", &fast)) return 5;
  FILE *file = fopen(arguments[3], "rb");
  if (!file) return 6;
  fseek(file, 0, SEEK_END);
  long rows = ftell(file) / 8 / width;
  rewind(file);
  double *values = malloc(rows * width * 8), out, sum = 0;
  if (fread(values, 8, rows * width, file) != (size_t)(rows * width)) return 7;
  const long slice = 100, slices = rows / slice;
  double *best = malloc(slices * 8), all = 0;
  for (long at = 0; at < slices; at++) best[at] = 1e300;
  const int rounds = 40;
  for (int round = 0; round < rounds; round++) {
    for (long at = 0; at < slices; at++) {
      double start = now();
      for (long row = at * slice; row < (at + 1) * slice; row++) {
        int64_t length;
        predict(fast, values + row * width, &length, &out);
        sum += out;
      }
      double took = now() - start;
      if (took < best[at]) best[at] = took;
    }
  }
  for (long at = 0; at < slices; at++) all += best[at];
  printf("{\"us\": %.4f, \"sum\": %.6f}\n", all / (slices * slice), sum / rounds);
  return 0;
}
