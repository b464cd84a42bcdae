"""Lower bound for numba: one pass per symbol, running sums in float64, float32 output into a reused buffer.

Running sums accumulate rounding errors and gaps are not handled, so this is a bound and not a usable design.
"""

import numba
import numpy as np

COLUMNS = (
    "r_lag0", "r_lag1", "r_lag2", "r_lag3", "r_lag4", "ret_5", "ret_10", "ret_21", "ret_63", "ret_126", "mom_12_1",
    "vol_5_63", "vol_21_252", "semivol", "rsi_14", "macd_hist", "bb_pctb", "sma_50", "sma_200",
    "log_rv_5", "log_rv_21", "log_rv_63", "log_rv_252",
)  # fmt: skip
FLOOR = 5e-4
NAN = np.nan


@numba.njit(cache=True)
def named_columns(close, levels, squares, out):  # noqa: PLR0915  # a single pass makes it the lower bound
    """Fill the 23 columns. close: (m, n), a row per symbol; levels, squares: (n,) scratch; out: float32 (m, n, 23)."""
    spans = (5, 10, 21, 63, 126)
    roots = (np.sqrt(5.0), np.sqrt(10.0), np.sqrt(21.0), np.sqrt(63.0), np.sqrt(126.0))
    root_year, root_50, root_200 = np.sqrt(231.0), np.sqrt(50.0), np.sqrt(200.0)
    for symbol in range(close.shape[0]):
        price = close[symbol]
        line = out[symbol]
        s5 = s21 = s63 = s252 = falls = variance = gains = losses = 0.0
        c20 = q20 = c50 = c200 = fast = slow = signal = 0.0
        for row in range(price.shape[0]):
            now = price[row]
            level = np.log(now)
            levels[row] = level
            move = level - levels[row - 1] if row else 0.0
            square = move * move
            squares[row] = square
            fall = square if move < 0 else 0.0
            s5 += square - (squares[row - 5] if row >= 5 else 0.0)
            s21 += square - (squares[row - 21] if row >= 21 else 0.0)
            s63 += square - (squares[row - 63] if row >= 63 else 0.0)
            s252 += square - (squares[row - 252] if row >= 252 else 0.0)
            gone = levels[row - 21] - levels[row - 22] if row >= 22 else 0.0
            falls += fall - (gone * gone if gone < 0 else 0.0)
            if row <= 21:
                variance += square / 21
            else:
                variance += 0.06 * (square - variance)
            sigma = max(np.sqrt(variance), FLOOR) if row >= 21 else NAN
            change = now - price[row - 1] if row else 0.0
            up, down = (change, 0.0) if change > 0 else (0.0, -change)
            if row <= 14:
                gains += up / 14
                losses += down / 14
            else:
                gains += (up - gains) / 14
                losses += (down - losses) / 14
            if row < 26:
                slow += now / 26
                fast += now / 12 if row >= 14 else 0.0
            else:
                slow += 2 / 27 * (now - slow)
                fast += 2 / 13 * (now - fast)
            macd = fast - slow
            if 25 <= row < 34:
                signal += macd / 9
            elif row >= 34:
                signal += 0.2 * (macd - signal)
            c20 += now - (price[row - 20] if row >= 20 else 0.0)
            q20 += now * now - (price[row - 20] * price[row - 20] if row >= 20 else 0.0)
            c50 += now - (price[row - 50] if row >= 50 else 0.0)
            c200 += now - (price[row - 200] if row >= 200 else 0.0)
            cell = line[row]
            inverse = 1 / sigma
            for lag in range(5):
                cell[lag] = (levels[row - lag] - levels[row - lag - 1]) * inverse if row > lag else NAN
            for place in range(5):
                span = spans[place]
                cell[5 + place] = (level - levels[row - span]) * inverse / roots[place] if row >= span else NAN
            cell[10] = (levels[row - 21] - levels[row - 252]) * inverse / root_year if row >= 252 else NAN
            v5 = np.log(max(s5 / 5, FLOOR * FLOOR)) if row >= 5 else NAN
            v21 = np.log(max(s21 / 21, FLOOR * FLOOR)) if row >= 21 else NAN
            v63 = np.log(max(s63 / 63, FLOOR * FLOOR)) if row >= 63 else NAN
            v252 = np.log(max(s252 / 252, FLOOR * FLOOR)) if row >= 252 else NAN
            cell[11] = (v5 - v63) / 2
            cell[12] = (v21 - v252) / 2
            cell[13] = (falls / s21 if s21 > 0 else 0.5) if row >= 21 else NAN
            cell[14] = (2 * gains / (gains + losses) - 1 if gains + losses > 0 else 0.0) if row >= 14 else NAN
            cell[15] = (macd - signal) / now * inverse if row >= 33 else NAN
            mean = c20 / 20
            width = np.sqrt(max(q20 / 20 - mean * mean, 0.0))
            cell[16] = (0.5 + (now - mean) / (4 * width) if width > 1e-7 * mean else 0.5) if row >= 19 else NAN
            cell[17] = np.log(now * 50 / c50) * inverse / root_50 if row >= 49 else NAN
            cell[18] = np.log(now * 200 / c200) * inverse / root_200 if row >= 199 else NAN
            cell[19] = v5
            cell[20] = v21
            cell[21] = v63
            cell[22] = v252


@numba.njit(cache=True)
def other_columns(prices, returns, weeks, scales, out):  # noqa: PLR0915  # as above
    """Fill the 8 columns of ranges and falls, and the inputs of `compared_columns`.

    prices: open, high, low, close, (4, m, n); out: float32 (m, n, 8). Fills returns, weeks and scales, (n, m).
    """
    rows = prices.shape[2]
    ring = np.zeros(21)
    queue = np.zeros(rows, dtype=np.int64)
    for symbol in range(prices.shape[1]):
        opened, high, low, close = prices[0, symbol], prices[1, symbol], prices[2, symbol], prices[3, symbol]
        line = out[symbol]
        g5 = g21 = variance = before = 0.0
        head = tail = 0
        ring[:] = 0.0
        for row in range(rows):
            level = np.log(close[row])
            move = level - before if row else 0.0
            square = move * move
            variance = variance + square / 21 if row <= 21 else variance + 0.06 * (square - variance)
            sigma = max(np.sqrt(variance), FLOOR) if row >= 21 else NAN
            known = opened[row] > 0 and high[row] > 0 and low[row] > 0
            body = np.log(close[row] / opened[row]) if known else 0.0
            span = np.log(high[row] / low[row]) if known else 0.0
            night = (np.log(opened[row] if known else close[row]) - before) if row else 0.0
            gk = max(night * night + 0.5 * span * span - 0.3862943611198906 * body * body, 0.0) if row else 0.0
            g5 += gk - ring[(row - 5) % 21]
            g21 += gk - ring[row % 21]
            ring[row % 21] = gk
            while tail > head and close[queue[tail - 1]] <= close[row]:
                tail -= 1
            queue[tail] = row
            tail += 1
            if queue[head] <= row - 252:
                head += 1
            cell = line[row]
            cell[0] = np.log(max(square, FLOOR * FLOOR)) if row else NAN
            cell[1] = np.log(max(gk, FLOOR * FLOOR)) if row else NAN
            cell[2] = np.log(max(g5 / 5, FLOOR * FLOOR)) if row >= 5 else NAN
            cell[3] = np.log(max(g21 / 21, FLOOR * FLOOR)) if row >= 21 else NAN
            cell[4] = move / sigma if row else NAN
            week = level - np.log(close[row - 5]) if row >= 5 else NAN
            cell[5] = week / sigma
            cell[6] = level - np.log(close[queue[head]]) if row >= 251 else NAN
            cell[7] = sigma
            returns[row, symbol] = move if row else NAN
            weeks[row, symbol] = week
            scales[row, symbol] = sigma
            before = level


@numba.njit(cache=True)
def _rank(values, out):
    """Rank as shares between 0 and 1; ties in any order."""
    order = np.argsort(values)
    known = len(values)
    while known and np.isnan(values[order[known - 1]]):
        known -= 1
    for rank in range(known):
        out[order[rank]] = (rank + 0.5) / known


@numba.njit(cache=True)
def compared_columns(named, returns, weeks, scales, out):
    """Fill the 14 cross-sectional columns. named: (m, n, 23) from `named_columns`; out: float32 (n, m, 14)."""
    symbols, rows = named.shape[0], named.shape[1]
    values = np.empty(symbols)
    variance, market5, market63, level = 0.0, 0.0, 0.0, 0.0
    squares, levels = np.zeros(rows), np.zeros(rows)
    for row in range(rows):
        for place, column in enumerate((0, 5, 7, 10, -1)):
            for symbol in range(symbols):
                values[symbol] = scales[row, symbol] if column < 0 else named[symbol, row, column]
            _rank(values, out[row, :, place])
        for place, column in enumerate((0, 5, 7, 8, 10)):
            for symbol in range(symbols):
                values[symbol] = named[symbol, row, column] * scales[row, symbol]
            _rank(values, out[row, :, 9 + place])
        total, week = 0.0, 0.0
        for symbol in range(symbols):
            total += returns[row, symbol]
            week += weeks[row, symbol]
        move = total / symbols if row else 0.0
        squares[row] = move * move
        level += move
        levels[row] = level
        variance = variance + squares[row] / 21 if row <= 21 else variance + 0.06 * (squares[row] - variance)
        market5 += squares[row] - (squares[row - 5] if row >= 5 else 0.0)
        market63 += squares[row] - (squares[row - 63] if row >= 63 else 0.0)
        sigma = max(np.sqrt(variance), FLOOR) if row >= 21 else NAN
        ratio = (np.log(market5 / 5) - np.log(market63 / 63)) / 2 if row >= 63 else NAN
        moved = (level - levels[row - 5]) / sigma / np.sqrt(5.0) if row >= 5 else NAN
        for symbol in range(symbols):
            out[row, symbol, 5] = (weeks[row, symbol] - week / symbols) / scales[row, symbol]
            out[row, symbol, 6] = np.log(sigma)
            out[row, symbol, 7] = ratio
            out[row, symbol, 8] = moved
