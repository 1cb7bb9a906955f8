// A WHERE over the chips of a page in one file: the comparisons of SQLite that such filters are made
// of, with its three values of truth. What it does not know is an error that says so.

const TOKEN = /\s*(?:(--[^\n]*)|(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([a-z_][\w$]*)|(<>|!=|<=|>=|==|\|\||[-+*/%<>=(),]))/iy;

function tokens(sql) {
  const out = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < sql.length) {
    const at = TOKEN.lastIndex;
    const m = TOKEN.exec(sql);
    if (!m) {
      if (!sql.slice(at).trim()) break;
      throw new Error(`unrecognized token: "${sql.slice(at).trim().slice(0, 20)}"`);
    }
    if (m[2] !== undefined) out.push({type: 'value', value: Number(m[2]), text: m[2]});
    else if (m[3] !== undefined) out.push({type: 'value', value: m[3].replace(/''/g, "'"), text: `'${m[3]}'`});
    else if (m[4] !== undefined) out.push({type: 'name', text: m[4].replace(/""/g, '"'), quoted: true});
    else if (m[5] !== undefined) out.push({type: 'name', text: m[5], word: m[5].toUpperCase()});
    else if (m[6] !== undefined) out.push({type: 'sign', word: m[6], text: m[6]});
  }
  return out;
}

/**
 * -1, 0, 1, or null where one side is NULL. A column has its affinity, as in SQLite: a text beside a column of numbers is
 * read as one, a number beside a column of texts is written as one; else numbers come before texts.
 */
function compare(left, right, row) {
  let [a, b] = [left(row), right(row)];
  if (a == null || b == null) return null;
  if (left.isColumn && !right.isColumn) b = withAffinity(a, b);
  else if (right.isColumn && !left.isColumn) a = withAffinity(b, a);
  else if (left.isColumn && right.isColumn && typeof a === 'number') b = withAffinity(a, b);
  else if (left.isColumn && right.isColumn && typeof b === 'number') a = withAffinity(b, a);
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function withAffinity(column, v) {
  if (typeof column === 'number') return typeof v === 'string' && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(v) ? Number(v) : v;
  return String(v);
}

const COMPARISONS = {
  '=': (c) => c === 0, '==': (c) => c === 0, '<>': (c) => c !== 0, '!=': (c) => c !== 0,
  '<': (c) => c < 0, '<=': (c) => c <= 0, '>': (c) => c > 0, '>=': (c) => c >= 0,
};

// Without '/', '%' and '||', which ask whether a number is an integer: JSON does not tell.
const ARITHMETIC = {'+': (a, b) => a + b, '-': (a, b) => a - b, '*': (a, b) => a * b};

const FUNCTIONS = {
  abs: (v) => (v == null ? null : Math.abs(numberOf(v))), lower: (v) => (v == null ? null : foldCase(v)),
  length: (v) => (v == null ? null : [...String(v)].length),
  coalesce: (...v) => v.find((x) => x != null) ?? null, ifnull: (a, b) => a ?? b,
  substr: (v, from, n) => (v == null ? null : String(v).substr(from > 0 ? from - 1 : from, n)),
};

/** The number that a value, or the beginning of a text, is. */
function numberOf(v) {
  return typeof v === 'number' ? v : Number(/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i.exec(v)?.[0] ?? 0);
}

function truth(v) {
  return v == null ? null : numberOf(v) !== 0;
}

/** ASCII letters alone are the same in both cases. */
function foldCase(v) {
  return String(v).replace(/[A-Z]/g, (c) => c.toLowerCase());
}

function isLike(v, pattern) {
  const text = foldCase(pattern).replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%/g, '[^]*').replace(/_/g, '[^]');
  return new RegExp(`^${text}$`, 'u').test(foldCase(v));
}

class Parser {
  constructor(sql, names) {
    this.list = tokens(sql);
    this.names = names;
    this.at = 0;
  }

  is(word, ahead = 0) {
    return this.list[this.at + ahead]?.word === word;
  }

  take(word) {
    if (!this.is(word)) return false;
    this.at++;
    return true;
  }

  need(word) {
    if (!this.take(word)) this.fail();
  }

  fail() {
    const token = this.list[this.at];
    throw new Error(token ? `near "${token.text}": syntax error (this page knows comparisons, AND, OR, NOT, IN, BETWEEN, LIKE and IS NULL)` : 'incomplete input');
  }

  or() {
    let left = this.and();
    while (this.take('OR')) {
      const [a, b] = [left, this.and()];
      left = (row) => {
        const [x, y] = [truth(a(row)), truth(b(row))];
        return x || y ? 1 : x == null || y == null ? null : 0;
      };
    }
    return left;
  }

  and() {
    let left = this.not();
    while (this.take('AND')) {
      const [a, b] = [left, this.not()];
      left = (row) => {
        const [x, y] = [truth(a(row)), truth(b(row))];
        return x === false || y === false ? 0 : x == null || y == null ? null : 1;
      };
    }
    return left;
  }

  not() {
    if (!this.take('NOT')) return this.equality();
    return negated(this.not());
  }

  equality() {
    let left = this.ordering();
    for (;;) {
      const word = this.list[this.at]?.word;
      if (['=', '==', '<>', '!='].includes(word)) {
        this.at++;
        left = compared(word, left, this.ordering());
      } else if (this.take('IS')) {
        left = this.identity(left);
      } else if (word === 'NOT' && ['IN', 'BETWEEN', 'LIKE'].includes(this.list[this.at + 1]?.word)) {
        this.at++;
        left = negated(this.membership(left));
      } else if (['IN', 'BETWEEN', 'LIKE'].includes(word)) {
        left = this.membership(left);
      } else {
        return left;
      }
    }
  }

  identity(left) {
    const not = this.take('NOT');
    const right = this.ordering();
    return (row) => {
      const c = compare(left, right, row);
      const same = c === null ? left(row) == null && right(row) == null : c === 0;
      return Number(same !== not);
    };
  }

  membership(left) {
    if (this.take('BETWEEN')) {
      const low = this.ordering();
      this.need('AND');
      const [a, b] = [compared('>=', left, low), compared('<=', left, this.ordering())];
      return (row) => {
        const [x, y] = [a(row), b(row)];
        return x === 0 || y === 0 ? 0 : x == null || y == null ? null : 1;
      };
    }
    if (this.take('LIKE')) {
      const pattern = this.ordering();
      return (row) => {
        const [v, p] = [left(row), pattern(row)];
        return v == null || p == null ? null : Number(isLike(v, p));
      };
    }
    this.need('IN');
    this.need('(');
    const list = this.is(')') ? [] : this.arguments();
    this.need(')');
    return (row) => {
      const found = list.map((f) => compare(left, f, row));
      return found.includes(0) ? 1 : found.includes(null) ? null : 0;
    };
  }

  ordering() {
    let left = this.sum(0);
    while (['<', '<=', '>', '>='].includes(this.list[this.at]?.word)) {
      const word = this.list[this.at++].word;
      left = compared(word, left, this.sum(0));
    }
    return left;
  }

  /** level 0: + and -, 1: *. */
  sum(level) {
    const words = [['+', '-'], ['*']][level];
    const next = () => (level < 1 ? this.sum(level + 1) : this.primary());
    let left = next();
    while (words.includes(this.list[this.at]?.word)) {
      const [apply, a, b] = [ARITHMETIC[this.list[this.at++].word], left, next()];
      left = (row) => {
        const [x, y] = [a(row), b(row)];
        return x == null || y == null ? null : apply(numberOf(x), numberOf(y));
      };
    }
    return left;
  }

  arguments() {
    const list = [this.or()];
    while (this.take(',')) list.push(this.or());
    return list;
  }

  primary() {
    if (this.take('-')) {
      const inner = this.primary();
      return (row) => (inner(row) == null ? null : -numberOf(inner(row)));
    }
    if (this.take('+')) return this.primary();
    if (this.take('(')) {
      const inner = this.or();
      this.need(')');
      return inner;
    }
    const token = this.list[this.at];
    if (!token || token.type === 'sign') this.fail();
    this.at++;
    if (token.type === 'value') return () => token.value;
    if (token.word === 'NULL') return () => null;
    return this.is('(') && !token.quoted ? this.call(token.text) : this.column(token.text);
  }

  column(name) {
    const key = this.names.find((k) => k.toLowerCase() === name.toLowerCase());
    if (key === undefined) throw new Error(`no such column: ${name}; columns of this page: ${this.names.join(', ')}`);
    return Object.assign((row) => row[key], {isColumn: true});
  }

  call(name) {
    const f = Object.hasOwn(FUNCTIONS, name.toLowerCase()) && FUNCTIONS[name.toLowerCase()];
    if (!f) throw new Error(`no such function in this page: ${name}`);
    this.need('(');
    const list = this.is(')') ? [] : this.arguments();
    this.need(')');
    return (row) => f(...list.map((a) => a(row)));
  }
}

function negated(inner) {
  return (row) => {
    const v = truth(inner(row));
    return v == null ? null : Number(!v);
  };
}

function compared(word, left, right) {
  return (row) => {
    const c = compare(left, right, row);
    return c == null ? null : Number(COMPARISONS[word](c));
  };
}

/**
 * A function of a row (an object of columns) that says whether it passes. names: the columns that there are. Throws Error
 * for what cannot be read.
 */
export function compileWhere(sql, names) {
  const parser = new Parser(sql, names);
  const expression = parser.or();
  if (parser.at < parser.list.length) parser.fail();
  return (row) => truth(expression(row)) === true;
}
