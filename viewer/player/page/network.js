// The networks: each function is a list of operations on one row of numbers, planned once when the page loads.
// What an operation says stands in viewer/player/export.py.

const FUNCTIONS = {
  abs: Math.abs,
  add: (a, b) => a + b,
  copy: (a) => a,
  cos: Math.cos,
  div: (a, b) => a / b,
  eq: (a, b) => +(a === b),
  exp: Math.exp,
  expm1: Math.expm1,
  ge: (a, b) => +(a >= b),
  gt: (a, b) => +(a > b),
  le: (a, b) => +(a <= b),
  log: Math.log,
  log1p: Math.log1p,
  lt: (a, b) => +(a < b),
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  mul: (a, b) => a * b,
  ne: (a, b) => +(a !== b),
  neg: (a) => -a,
  pow: Math.pow,
  reciprocal: (a) => 1 / a,
  relu: (a) => (a > 0 ? a : 0),
  rsqrt: (a) => 1 / Math.sqrt(a),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  sign: Math.sign,
  sin: Math.sin,
  sqrt: Math.sqrt,
  sub: (a, b) => a - b,
  tanh: Math.tanh,
  where: (a, b, c) => (a ? b : c),
};
const PLANS = { map: planMap, reduce: planReduce, contract: planContract, convolve: planConvolution };

// The number that the bits of a float16 stand for: older browsers have no Float16Array.
function ofHalf(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return bits & 0x8000 ? -size : size;
}

// {name: function of arrays that returns arrays}. What is returned is overwritten by the function's next call.
function readNetworks(program) {
  const memory = new Float64Array(program.memory);
  const [halves, singles, doubles] = program.constants.map(
    (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer,
  );
  memory.set(Float64Array.from(new Uint16Array(halves), ofHalf));
  memory.set(new Float32Array(singles), halves.byteLength / 2);
  memory.set(new Float64Array(doubles), halves.byteLength / 2 + singles.byteLength / 4);
  const networks = {};
  for (const [name, { inputs, outputs, operations }] of Object.entries(program.functions)) {
    const steps = operations.map((operation) => PLANS[operation.kind](memory, operation));
    const results = outputs.map(([place, length]) => memory.subarray(place, place + length));
    networks[name] = (...given) => {
      for (let i = 0; i < inputs.length; i++) memory.set(given[i], inputs[i][0]);
      for (let i = 0; i < steps.length; i++) steps[i]();
      return results;
    };
  }
  return networks;
}

// The views as rows along their last axis: where each begins, and the stride within.
function rowsOf({ shape, views }) {
  const length = shape[shape.length - 1];
  const count = shape.reduce((product, axis) => product * axis, 1) / length;
  const starts = views.map(([place, ...strides]) =>
    Int32Array.from({ length: count }, (_, row) => {
      let start = place;
      for (let axis = shape.length - 2; axis >= 0; axis--) {
        start += strides[axis] * (row % shape[axis]);
        row = Math.floor(row / shape[axis]);
      }
      return start;
    }),
  );
  return { length, count, starts, strides: views.map((view) => view[view.length - 1]) };
}

// The part of the memory that a view covers without gaps.
function covered(memory, shape, [place, ...strides]) {
  return memory.subarray(place, shape.reduce((end, axis, i) => end + (axis - 1) * strides[i], place) + 1);
}

function planMap(memory, operation) {
  const { length, count, starts, strides } = rowsOf(operation);
  const [out, first, second, third] = starts;
  const [step, one, two, three] = strides;
  const f = FUNCTIONS[operation.function];
  if (starts.length === 2) {
    return () => {
      for (let row = 0; row < count; row++) {
        for (let i = 0, o = out[row], a = first[row]; i < length; i++, o += step, a += one) memory[o] = f(memory[a]);
      }
    };
  }
  if (starts.length === 3) {
    return () => {
      for (let row = 0; row < count; row++) {
        for (let i = 0, o = out[row], a = first[row], b = second[row]; i < length; i++, o += step, a += one, b += two) {
          memory[o] = f(memory[a], memory[b]);
        }
      }
    };
  }
  return () => {
    for (let row = 0; row < count; row++) {
      for (let i = 0, o = out[row], a = first[row], b = second[row], c = third[row]; i < length; i++) {
        memory[o] = f(memory[a], memory[b], memory[c]);
        o += step;
        a += one;
        b += two;
        c += three;
      }
    }
  };
}

function planReduce(memory, operation) {
  const { length, count, starts, strides } = rowsOf(operation);
  const [out, from] = starts;
  const [step, one] = strides;
  const result = covered(memory, operation.shape, operation.views[0]);
  if (operation.function === "sum") {
    return () => {
      result.fill(0);
      for (let row = 0; row < count; row++) {
        for (let i = 0, o = out[row], a = from[row]; i < length; i++, o += step, a += one) memory[o] += memory[a];
      }
    };
  }
  return () => {
    result.fill(-Infinity);
    for (let row = 0; row < count; row++) {
      for (let i = 0, o = out[row], a = from[row]; i < length; i++, o += step, a += one) {
        if (memory[a] > memory[o]) memory[o] = memory[a];
      }
    }
  };
}

function planContract(memory, operation) {
  const { length, count, starts, strides } = rowsOf(operation);
  const [out, left, right] = starts;
  const [step, one, two] = strides;
  const result = covered(memory, operation.shape, operation.views[0]);
  return () => {
    result.fill(0);
    for (let row = 0; row < count; row++) {
      let a = left[row];
      let b = right[row];
      let o = out[row];
      if (step === 0) {
        let sum = 0;
        for (let i = 0; i < length; i++, a += one, b += two) sum += memory[a] * memory[b];
        memory[o] += sum;
      } else {
        for (let i = 0; i < length; i++, o += step, a += one, b += two) memory[o] += memory[a] * memory[b];
      }
    }
  };
}

// Every input spreads to the outputs that it has a part in, all channels at once. Most pixels of a frame are empty, and
// an empty one has no part in anything.
function planConvolution(memory, { output, input, weight, taps }) {
  const [place, length, width] = output;
  const [from, channels, apart] = input;
  const [kernel, spread] = weight;
  const [rows, columns] = taps.map((triples) => Int32Array.from(triples.flat()));
  const result = memory.subarray(place, place + length);
  return () => {
    result.fill(0);
    for (let r = 0; r < rows.length; r += 3) {
      for (let c = 0; c < columns.length; c += 3) {
        for (let channel = 0; channel < channels; channel++) {
          const value = memory[from + channel * apart + rows[r] + columns[c]];
          if (value === 0) continue;
          let w = kernel + channel * spread + rows[r + 1] + columns[c + 1];
          let o = place + rows[r + 2] + columns[c + 2];
          for (const end = o + width; o < end; o++, w++) memory[o] += value * memory[w];
        }
      }
    }
  };
}
