/* libFuzzer: any bytes as a Parquet file. `make fuzz FUZZ_SECONDS=60`. */
#include "parquet_drain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sc_error err = {0};
  int64_t n;
  drain(data, size, &n, &err);
  return 0;
}
