#define FFI_SCOPE "RAPPORT"
#define FFI_LIB "librapport.so"
/* Rapport's core for hosts that load shared libraries. PHP's FFI reads this file as it is, and the two
 * lines above before anything else; C includes <stdint.h> and <stddef.h> before it.
 *
 * Handles are numbers that belong to the thread that opened them; 0 is none, and a handle that is closed
 * or of another kind is refused, not followed. What a call answers stands until the next call of the same
 * thread. A call that refuses something answers with 0, NULL or -1, and rapport_error says why. */

/* Raised whenever a declaration below changes its meaning: 1. */
uint32_t rapport_abi(void);
/* Why the last call of this thread was refused, in UTF-8. */
const char *rapport_error(void);
/* Where the bytes stand that the last call of this thread answered with. */
const uint8_t *rapport_output(void);

/* Opens parts of a bundle, by the bytes that were published; answers with a handle. Opening the same
 * bytes again gives the same handle, to be closed as often. */
uint32_t rapport_open_flags(const char *bytes, size_t length);
uint32_t rapport_open_signals(const char *bytes, size_t length);
uint32_t rapport_open_model(const char *bytes, size_t length);
uint32_t rapport_open_engine(const char *signals, size_t signals_length, const char *model, size_t model_length,
                             const char *words, size_t words_length);
void rapport_close(uint32_t handle);

/* Compiles GrowthBook's payload in JSON into the bytes of flags; answers with their length. */
int64_t rapport_compile_flags(const char *payload, size_t length);

/* What feature `number` is, or, where `experiment` is not 0, experiment `number` of pages, for the
 * visitor whom a question's bytes describe; numbers as core/src/experiment/numbers.rs writes them. */
const double *rapport_ask(uint32_t flags, uint32_t experiment, uint32_t number, const char *question, size_t length);

/* Margin, probability, score and band (0 not, 1 undecided, 2 qualified) of a row of little-endian
 * doubles, NaN where missing. With `explain` not 0, also the base margin, the base score, how many
 * signals there are, the contribution of each to the margin, and the points of each. */
const double *rapport_score(uint32_t model, uint32_t explain, const char *row, size_t length);

/* Score, probability, band, base score, points of what no reason names, how many reasons; of each its
 * signal's id, its points and the length of its words, which stand one behind the other in the output. */
const double *rapport_decide(uint32_t engine, const char *profile, size_t length, double now, uint32_t reasons);

/* The compact form of an event in JSON that happened at `time`, in milliseconds since 1970, or where
 * that is NaN at its own timestamp; answers with its length. */
int64_t rapport_encode_event(const char *json, size_t length, double time);
/* When an event in JSON happened by the clock of who received it at `received`; NaN where it is refused. */
double rapport_event_time(const char *json, size_t length, double received);

/* Folds events into a stored profile (none where it is empty) of an engine or of signals, and answers
 * with the length of the profile that comes of it. Of each event: when it arrived (f64; NaN when it
 * happened), its length (u32), its compact form. */
int64_t rapport_fold(uint32_t handle, const char *profile, size_t length, const char *events, size_t events_length);
/* Puts a stored profile into another one. */
int64_t rapport_merge(uint32_t handle, const char *profile, size_t length, const char *other, size_t other_length);
/* Of each signal: 0 and its value, NaN where missing, or 1 and the hash of its level. */
const double *rapport_values(uint32_t handle, const char *profile, size_t length, double now);

/* What conformance cases ask beyond this: a list in JSON that begins with the name of the question;
 * answers with the length of an answer in JSON. */
int64_t rapport_testing(const char *json, size_t length);
