/* base/outer_on.c: which calls in the ON of a LEFT JOIN have nothing to do with its right side. */
#include "base/outer_on.h"

#include <string.h>

#include "check.h"

static int is_meets(const char *name, size_t n) {
  return n == 5 && sqlite3_strnicmp(name, "meets", 5) == 0;
}

static int finds(const char *sql) { return sc_outer_on_find(sql, "chips", is_meets); }

int main(void) {
  check_case("a_call_of_the_left_side_is_found");
  CHECK_INT(1, finds("SELECT * FROM chips LEFT JOIN t ON meets(chips.geometry, ?)"));
  CHECK_INT(
      1,
      finds(
          "select 1 from chips c left outer join main.t as u on u.k = 1 and MEETS(geometry, ?1)"));
  CHECK_INT(1, finds("SELECT 1 FROM a JOIN chips LEFT JOIN f('x)', 2) t ON (k = 2 AND "
                     "meets(chips.geometry, a.g))"));
  CHECK_INT(
      1,
      finds("SELECT 1 FROM chips LEFT JOIN (SELECT ')' AS k) t ON \"meets\"(chips.geometry, ?)"));
  CHECK_INT(1,
            finds("SELECT 1 FROM chips a LEFT JOIN chips b ON meets(a.geometry, ?) AND a.k = b.k"));
  CHECK_INT(
      1,
      finds("WITH x AS (SELECT 1 FROM chips LEFT JOIN t ON meets(geometry, ?)) SELECT 1 FROM x"));
  check_case("a_call_of_the_right_side_is_none");
  CHECK_INT(0, finds("SELECT 1 FROM t LEFT JOIN chips ON meets(chips.geometry, t.g)"));
  CHECK_INT(0, finds("SELECT 1 FROM t LEFT JOIN chips ON meets(geometry, g)"));
  CHECK_INT(0, finds("SELECT 1 FROM t LEFT JOIN chips c ON meets(c.geometry, ?)"));
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t ON meets(chips.geometry, t.g)"));
  CHECK_INT(0, finds("SELECT 1 FROM chips a LEFT JOIN chips b ON meets(b.geometry, ?)"));
  check_case("a_call_that_is_compared_is_none");
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t ON meets(chips.geometry, ?) = 1"));
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t ON 1 = meets(chips.geometry, ?)"));
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t ON NOT meets(chips.geometry, ?)"));
  check_case("a_call_elsewhere_is_none");
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t ON t.k = 1 WHERE meets(chips.geometry, ?)"));
  CHECK_INT(0, finds("SELECT 1 FROM chips JOIN t ON meets(chips.geometry, ?)"));
  CHECK_INT(0, finds("SELECT 1 FROM chips LEFT JOIN t USING (k) WHERE meets(geometry, ?)"));
  CHECK_INT(0, finds("SELECT 'LEFT JOIN t ON meets(geometry, 1)' /* LEFT JOIN t ON meets(a, 1) */ "
                     "-- LEFT JOIN t ON meets(a, 1)"));
  check_case("what_is_no_sql_has_none");
  CHECK_INT(0, finds(""));
  CHECK_INT(0, finds("LEFT JOIN"));
  CHECK_INT(0, finds("LEFT JOIN ("));
  CHECK_INT(0, finds("LEFT JOIN t ON"));
  CHECK_INT(0, finds("LEFT JOIN t ON meets"));
  CHECK_INT(0, finds("LEFT JOIN t ON ((("));
  CHECK_INT(0, finds("' \" [ /* LEFT"));
  CHECK_INT(0, finds("\""));
  return check_report();
}
