"""What is wrong with the places in a drawing, told from the drawing alone.

Nothing overlaps, nothing is cut, no line runs through a thing it does not belong to, every wire
reaches what it joins, has an end of its own there, and lies on no other wire, and where wires of
one thing part there is a dot; a number of a wire can be read as that of no other.
"""

import itertools
import math
import re
from functools import partial

from tinygrad_rnn.draw import style
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.model import Line
from tinygrad_rnn.draw.outlines import meets
from tinygrad_rnn.draw.paper import label_rect


def things(drawing):
    """Everything with an outline but dots and frames."""
    return [box for box in drawing.boxes if box.w > 8]


def overlap(a, b, by=0.5):
    return a[0] < b[2] - by and b[0] < a[2] - by and a[1] < b[3] - by and b[1] < a[3] - by


def faults(drawing, ends=True):
    """All that is wrong with the places in a drawing, in words; without `ends`, those of wires are
    not looked at (Graphviz has its own idea of them). Heads and dots of graphs without time, which
    have no frames, are not asked for."""
    found = []
    boxes = things(drawing)
    for a, b in itertools.combinations(boxes, 2):
        if overlap(a.sides, b.sides):
            found.append(f"{a.id} and {b.id} overlap")
    lines = [(line, around(line)) for line in drawing.lines]
    for line, rect in lines:
        own = {line.tail, line.head, *line.id.split("--")}
        for box in boxes:
            for p, q in itertools.pairwise(line.points if overlap(rect, box.sides, 0) else ()):
                if box.id not in own and meets(p, q, box.sides, -0.5):
                    found.append(f"{line.id} runs through {box.id}")
    found += [*dangling(drawing), *((*meeting(drawing), *blotted(drawing)) if ends else ()),
              *(merged(drawing) if ends else ()),
              *((*covered(drawing), *undotted(drawing)) if ends and drawing.frames else ()),
              *strayed(drawing), *misread(drawing), *(undelayed(drawing) if ends else ())]
    paper = (drawing.left, drawing.top, drawing.left + drawing.width, drawing.top + drawing.height)
    strips = [((s.x, s.y, s.x + s.w, s.y + s.h), s.id) for s in drawing.strips]
    for rect, what in [
        *((label_rect(n), n.text) for n in drawing.labels),
        *((b.sides, b.id) for b in (*drawing.boxes, *drawing.frames)),
        *strips,
    ]:
        inside = paper[0] <= rect[0] and rect[2] <= paper[2] and paper[1] <= rect[1]
        if not (inside and rect[3] <= paper[3]):
            found.append(f"{what} is cut")
    bars = [(seen(strip), strip.id) for strip in drawing.strips]
    solid = [*((box.sides, box.id) for box in (*boxes, *drawing.frames)), *strips]
    for (a, first), (b, second) in itertools.product(strips, solid):
        if first != second and overlap(a, b):
            found.append(f"{first} and {second} overlap")
    for label in drawing.labels:
        for rect, what in [*((box.sides, box.id) for box in boxes), *bars]:
            if overlap(label_rect(label), rect, 2.0):
                found.append(f"{label.text} lies on {what}")
        rect = label_rect(label)
        if label.bold and label.role == "quiet":  # what a stage is called: nothing comes near
            found += [f"{line.id} touches {label.text}" for line, own in lines
                      if overlap(own, rect, -NEAR) and any(
                          meets(p, q, rect, BESIDE) for p, q in itertools.pairwise(line.points))]
        if label.halo:  # clears what is behind it
            continue
        for line, own in lines:
            if overlap(own, rect, 0) and any(
                    meets(p, q, rect, -2.0) for p, q in itertools.pairwise(line.points)):
                found.append(f"{line.id} strikes through {label.text}")
    for a, b in itertools.combinations(drawing.labels, 2):
        if overlap(label_rect(a), label_rect(b), 2.0):
            found.append(f"{a.text} lies on {b.text}")
    return found


def around(line, by=1.0):
    """The rectangle around a line; one that is level or upright is a little wide nevertheless."""
    xs, ys = zip(*line.points)
    return min(xs) - by, min(ys) - by, max(xs) + by, max(ys) + by


def seen(strip):
    """The part of a strip from its first cell that is seen to its last."""
    levels = [i for i, cell in enumerate(strip.cells) if cell.level] or [0]
    left, top, wide, high = strip.part(levels[0], levels[-1] + 1, 1.0)
    return left, top, left + wide, top + high


def dangling(drawing):
    """Lines that do not begin or end on (or within) the box that they name."""
    boxes = {box.id: box for box in drawing.boxes}
    for line in drawing.lines:
        for (x, y), end in ((line.points[0], line.tail), (line.points[-1], line.head)):
            if end in boxes:
                left, top, right, bottom = boxes[end].sides
                slack = 1.0
                if not (left - slack <= x <= right + slack and top - slack <= y <= bottom + slack):
                    yield f"{line.id} does not reach {end}"


NEAR, ALONG = 3.0, 8.0  # from here on two ends are one, and two lines are seen as one
WIDE, SLANTING = 1.2, 20.0  # and two slanting ones, which may cross: so near for so long


def forwards(line):
    """A line from what is used to its user, also where the gradient runs the other way: its tail,
    its head, and its points."""
    tail = line.id.partition("--")[0]
    if line.head == tail or line.head is not None and line.head.startswith(f"{tail}.tap"):
        return tail, line.tail, line.points[::-1]
    return tail, line.head, line.points


def meeting(drawing):
    """Two wires from different things that end at one point of a third."""
    ends = {}
    for line in drawing.lines:
        tail, head, points = forwards(line)
        if head is not None and "--" in line.id:
            ends.setdefault(head, []).append((line.id, tail, points[-1]))
    for head, those in ends.items():
        for (a, tail, p), (b, other, q) in itertools.combinations(those, 2):
            if tail != other and math.dist(p, q) < NEAR:
                yield f"{a} and {b} end at one point of {head}"


def blotted(drawing):
    """Arrow heads of lines from different directions that end at one point of a thing."""
    heads = {}
    for line in drawing.lines:
        if line.arrow and not line.dash and line.head is not None and "--" in line.id:
            heads.setdefault(line.head, []).append((line.id, line.points[-1], line.points[-2]))
    for head, those in heads.items():
        for (a, p, before), (b, q, other) in itertools.combinations(those, 2):
            if math.dist(p, q) < NEAR and turn(before, p) != turn(other, q):
                yield f"the heads of {a} and {b} at {head} are one"


def merged(drawing):
    """Two lines from different things that run on one another."""
    stretches, slanting = {}, []
    for line in drawing.lines:
        tail, _, points = forwards(line)
        whose = tail.removesuffix(".rail"), line.id
        for p, q in itertools.pairwise(points):
            if p[0] != q[0] and p[1] != q[1]:
                slanting.append((p, q, *whose))
            for axis in (0, 1):
                if p[axis] == q[axis]:
                    low, high = sorted((p[1 - axis], q[1 - axis]))
                    stretches.setdefault((axis, round(p[axis])), []).append((low, high, *whose))
    for those in stretches.values():
        for a, b in itertools.combinations(those, 2):
            if a[2] != b[2] and min(a[1], b[1]) - max(a[0], b[0]) > ALONG:
                yield f"{a[3]} and {b[3]} run on one another"
    level = [(p, q, tail.removesuffix(".rail"), line.id) for line in drawing.lines if slanting
             for tail, _, points in [forwards(line)] for p, q in itertools.pairwise(points)
             if p[0] == q[0] or p[1] == q[1]]
    for i, a in enumerate(slanting):
        for b in near(a, [*slanting[i + 1:], *level]):
            if a[2] != b[2] and (far := together(a, b)) > SLANTING:
                yield f"{a[3]} and {b[3]} run on one another for {far:.0f}"


SEEN = 2.5  # lines that are no further apart are seen as one
BASE = 2.0  # what crosses a shaft nearer to its head than this seems to join it


def undotted(drawing):
    """Places where lines that begin as one go on as two, and no dot says that they are joined; in
    drawings of steps, not of a model from outside."""
    begins, dots = {}, [(box.x, box.y) for box in drawing.boxes if box.w < 8]
    steps = any(frame.id.endswith(".frame") for frame in drawing.frames)
    for line in drawing.lines if steps else ():
        tail, _, points = forwards(line)
        begins.setdefault((tail, *map(round, points[0])), []).append((line.id, points))
    for those in begins.values():
        for (a, first), (b, second) in itertools.combinations(those, 2):
            at = parting(first, second)
            if at and not any(math.dist(at, dot) < SEEN for dot in dots):
                yield f"{a} and {b} part at {at[0]:.0f}, {at[1]:.0f} without a dot"


def parting(a, b):
    """Where two ways that begin at one point part, if they are one for a while."""
    for i, (p, q) in enumerate(itertools.pairwise(a)):
        if i + 1 == len(b) or turn(p, q) != turn(b[i], b[i + 1]):
            return p if 0 < i < len(b) - 1 else None
        if math.dist(q, b[i + 1]) > SEEN:
            ahead = sorted([(a, q), (b, b[i + 1])], key=lambda way: math.dist(p, way[1]))
            way, end = ahead[0]
            return end if i + 2 < len(way) else None
    return None


def covered(drawing):
    """Arrow heads that another line or words come over, or a line so close behind that it seems to
    join them, and those with a shaft that is shorter than they are. Words may touch the large heads
    of gradients. Lines that have become one before their common head have one shaft. Slanting ones
    come to their ends from all sides; dotted ones, along which no gradient runs, are not asked."""
    lines = [(line, around(line)) for line in drawing.lines]
    for line, _ in lines:
        long, half = style.head(line.width)
        tip, back = line.points[-1], line.points[-2]
        if not line.arrow or line.dash or tip[0] != back[0] and tip[1] != back[1]:
            continue
        shaft = math.dist(tip, back)
        if shaft < long:
            yield f"the shaft of {line.id} is {shaft:.1f}, its head {long:.1f}"
        rect = head_rect(tip, back, long, half)
        if forwards(line)[1] == line.head:
            for label in drawing.labels:
                if overlap(label_rect(label), rect, 1.5):
                    yield f"{label.text} lies on the head of {line.id}"
        rail = f"{(line.head or '').partition('.tap')[0]}.rail"
        for other, own in lines:
            if other is line or other.id == rail or not overlap(own, rect, -BASE - other.width):
                continue
            foot = head_rect(tip, back, min(long + BASE + other.width / 2, shaft), 0.0)
            if any(crossing(p, q, foot) for p, q in itertools.pairwise(other.points)):
                yield f"{other.id} runs at the base of the head of {line.id}"
            if not overlap(own, rect, 0):
                continue
            points = other.points
            if math.dist(points[-1], tip) < 0.5 and other.arrow and \
                    turn(points[-2], points[-1]) == turn(back, tip):
                points = points[:-1]
            if any(meets(p, q, rect, -0.5) for p, q in itertools.pairwise(points)):
                yield f"{other.id} runs over the head of {line.id}"


def crossing(p, q, foot):
    """Whether a stretch goes across a level or upright line, from one side of it to the other."""
    axis = int(foot[0] == foot[2])  # 0: the line is level
    low, high = sorted((p[1 - axis], q[1 - axis]))
    return p[axis] == q[axis] and foot[axis] < p[axis] < foot[axis + 2] \
        and low < foot[1 - axis] < high


BESIDE = 2.0  # so far from the name of a stage no line runs
WITHIN = 2.0  # what comes so near to the outline of a frame lies on it


def strayed(drawing):
    """Wires between things of one step that leave its frame, or run on its outline; and taps that
    do so anywhere but on their first stretch, up from the rail."""
    boxes = {box.id: box for box in drawing.boxes}
    steps = [frame.sides for frame in drawing.frames if frame.role == "frame"]
    for line in drawing.lines:
        ends = [boxes[end] for end in (line.tail, line.head) if end in boxes]
        dots = [".tap" in box.id and box.w < 8 for box in ends]
        own = {step_of(box, steps) for box, dot in zip(ends, dots) if not dot}
        if len(ends) < 2 or len(own) != 1 or None in own:
            continue
        left, top, right, bottom = own.pop()
        points = line.points[dots[0]:len(line.points) - dots[1]]
        if not all(left + WITHIN <= x <= right - WITHIN and top + WITHIN <= y <= bottom - WITHIN
                   for x, y in points):
            yield f"{line.id} leaves its step"


CLOSE, CLEARLY = 12.5, 5.0  # a number is so close to its wire, and so much further from others
TOUCHING = 2.0  # and not so near to a thing, or to an arrow head


def misread(drawing):
    """Numbers of gradients that tell of a wire, and stand further from it than it takes to be read
    as that of another, or of a thing that it does not join; or that touch an arrow head, or a
    thing."""
    back = {line.id for line in drawing.lines if forwards(line)[1] != line.head}
    labels = [label for label in drawing.labels if back.intersection(label.of)]
    boxes, lines = things(drawing), {line.id: line for line in drawing.lines if labels}
    rooms = {line.id: around(line) for line in lines.values()}
    heads = {line.id: head_rect(line.points[-1], line.points[-2], *style.head(line.width))
             for line in lines.values() if line.arrow}
    for label in labels:
        rect = label_rect(label)
        far = {name: min(itertools.starmap(partial(gap, rect), itertools.pairwise(line.points)))
               for name, line in lines.items()
               if name in label.of or overlap(rooms[name], rect, -CLOSE - CLEARLY)}
        own = min((d for name, d in far.items() if name in label.of), default=math.inf)
        others = {name: d for name, d in far.items() if name not in label.of}
        if own > CLOSE:
            yield f"{plain(label.text)} is not at {label.of}"
        yield from (f"{plain(label.text)} of {label.of} is read as that of {name}"
                    for name, d in others.items() if d < own + CLEARLY)
        yield from (f"{plain(label.text)} touches the head of {name}"
                    for name, head in heads.items() if overlap(rect, head, -TOUCHING))
        ends = {end for name in label.of for end in (lines[name].tail, lines[name].head)}
        for box in boxes:
            left, top, right, bottom = box.sides
            if overlap(rect, box.sides, -TOUCHING):
                yield f"{plain(label.text)} touches {box.id}"
            elif box.id not in ends and math.hypot(
                    max(left - rect[2], rect[0] - right, 0.0),
                    max(top - rect[3], rect[1] - bottom, 0.0)) < min(own, CLOSE) - 0.5:
                yield f"{plain(label.text)} of {label.of} is read as that of {box.id}"


AT_IT, SURELY = 3.0, 2.0  # words so near are at their own; others so much nearer seem to be theirs
LOST = 40.0  # words so far from their own could be of anything


def mistaken(drawing):
    """Words of a wire, a box or the square of a delay that stand clearly nearer to another, or far
    from everything. Not those that name what they are of, as numbers of gradients do. For how many
    of them there is no place, in a crowd, `tests/benchmarks/test_words_of_others.py` counts."""
    boxes = {box.id: box for box in drawing.boxes}
    lines = {line.id: line for line in drawing.lines}
    said = {}
    for label in drawing.labels:
        for name in label.of:
            said.setdefault(name, set()).add(plain(label.text))
    bearers = [(box.id, box.sides) for box in boxes.values() if box.w > 8 or box.role == "delay"]
    bearers += [(line.id, around(Line("", part, "line"), 0.0)) for line in lines.values()
                for part in itertools.pairwise(line.points)]
    if any(forwards(line)[1] != line.head for line in lines.values()):
        return
    above = {}  # the words of a thing that its next line goes on from
    for label in drawing.labels:
        if not label.of or SAID.match(plain(label.text)):
            continue
        rect, akin = label_rect(label), {*label.of}
        own = [*above.get(label.of, ()), *(sides for name, sides in bearers if name in label.of)]
        above[label.of] = [rect]
        for name in label.of:
            if name in lines:
                akin |= {lines[name].tail, lines[name].head}
            elif boxes[name].role == "delay":
                through = [(other, sides) for other, sides in bearers
                           if other in lines and overlap(sides, boxes[name].sides, 0)]
                own += [sides for _, sides in through]
                akin |= {other for other, _ in through}
            else:
                akin |= {line.id for line in lines.values() if name in (line.tail, line.head)}
        mine = min(apart(rect, sides) for sides in own)
        others = [(apart(rect, sides), name) for name, sides in bearers if mine > AT_IT
                  and name not in akin and plain(label.text) not in said.get(name, ())]
        far, other = min(others, default=(math.inf, ""))
        if far < mine - SURELY:
            told = f"{plain(label.text)} of {label.of[0]}"
            yield f"{told}, {mine:.0f} away, is {far:.0f} from {other}"
        elif mine > LOST:
            yield f"{plain(label.text)} of {label.of[0]} is {mine:.0f} away"


def apart(a, b):
    """How far two rectangles are from each other."""
    return math.hypot(max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0))


APART = 4.0  # so far the square of a delay is from every arrow head


def undelayed(drawing):
    """Black squares of delays that come too near to an arrow head or to a dot where wires part;
    delayed wires that run through no square or through several; and others that run through one,
    which would seem to be delayed too."""
    squares = [box for box in drawing.boxes if box.role == "delay"]
    lines = [(line, around(line)) for line in drawing.lines if squares]
    heads = [(line, head_rect(line.points[-1], line.points[-2], *style.head(line.width)))
             for line, _ in lines if line.arrow]
    dots = [box for box in drawing.boxes if ".parting" in box.id and box.w < 8]
    passed = {line.id: 0 for line, _ in lines if LAG.match(line.title)}
    for box in squares:
        yield from (f"{box.id} is at the head of {line.id}"
                    for line, head in heads if overlap(box.sides, head, 0.01 - APART))
        yield from (f"{box.id} is on {dot.id}" for dot in dots if overlap(box.sides, dot.sides, 0))
        tail = box.id.partition("--")[0]
        through = [line for line, rect in lines
                   if forwards(line)[0] == tail and overlap(rect, box.sides, 0) and any(
                       meets(p, q, box.sides, 0.0) for p, q in itertools.pairwise(line.points))]
        passed |= {line.id: passed[line.id] + 1 for line in through if line.id in passed}
        if len({line.title if line.id in passed else "" for line in through}) != 1:
            yield f"{box.id} is on {' and '.join(line.id for line in through)}"
    yield from (f"{id} is delayed {count} times" for id, count in passed.items() if count != 1)


LAG = re.compile("t[−+][0-9]")  # how a delayed wire is called
SAID = re.compile(r"(Δ)[^:]* = |‖?∂.*/∂(.+?)‖? = ")  # what a step gives; the gradient of what


def parted(drawing):
    """Numbers of a step or a thing that a wire runs past: between the number and its dot on the
    rail, or the box that it is of. No fault everywhere: where taps stand close, one may have to."""
    lines = [(line, around(line)) for line in drawing.lines]
    level = {line.id for line in drawing.lines if line.points[0][1] == line.points[-1][1]}
    dots = [box for box in drawing.boxes if box.w < 8 and rail_of(box) in level]
    for label in drawing.labels:
        said = SAID.match(plain(label.text))
        if said is None or not (said[1] or label.bold):
            continue
        left, top, right, bottom = label_rect(label)
        y = (top + bottom) / 2
        own = [box for box in dots if 5 < box.y - label.y < 7] if said[1] else \
            [box for box in things(drawing) if plain(box.text) == said[2]]
        box = min(own, key=lambda b: max(left - b.x, b.x - right, 0) + 3 * abs(b.y - y),
                  default=None)
        if box is None:
            continue
        end = min(max(box.x, left), right), min(max(box.y, top), bottom)
        link = Line("", ((box.x, box.y), end), "line")
        for line, rect in lines:
            joined = {line.id, line.tail, line.head, *line.id.split("--")}
            if joined.isdisjoint((box.id, rail_of(box))) and overlap(rect, around(link), 0) and any(
                    meets(*link.points, around(Line("", part, "line")), 0.0)
                    for part in itertools.pairwise(line.points)):
                yield f"{line.id} runs between {plain(label.text)} and {box.id}"


def rail_of(dot):
    """What the rail is called that a dot is on."""
    return f"{dot.id.partition('.tap')[0]}.rail"


def gap(rect, p, q):
    """How far a rectangle is from a stretch of a line: bisected along it, since the distance from
    a box that bulges nowhere has one valley."""
    def at(s):
        x, y = p[0] + (q[0] - p[0]) * s, p[1] + (q[1] - p[1]) * s
        return math.hypot(max(rect[0] - x, x - rect[2], 0.0), max(rect[1] - y, y - rect[3], 0.0))

    low, high = 0.0, 1.0
    while high - low > 1e-4:
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if at(a) <= at(b) else (a, high)
    return min(at(low), at(high), at(0.0), at(1.0))


def step_of(box, steps):
    """The frame of the step that a box stands in, if it stands in one."""
    return next(((left, top, right, bottom) for left, top, right, bottom in steps
                 if left < box.x < right and top < box.y < bottom), None)


def turn(p, q):
    """In which direction a stretch runs, in degrees."""
    return round(math.degrees(math.atan2(q[1] - p[1], q[0] - p[0])))


def head_rect(tip, back, long, half):
    """The rectangle around an arrow head."""
    (x, y), far = tip, math.dist(tip, back) or 1.0
    u, v = (back[0] - x) / far, (back[1] - y) / far
    corners = [tip, *((x + long * u - side * half * v, y + long * v + side * half * u)
                      for side in (-1, 1))]
    return (min(x for x, _ in corners), min(y for _, y in corners),
            max(x for x, _ in corners), max(y for _, y in corners))


def near(a, others):
    """Those of some stretches whose boxes touch that of `a`."""
    left, right = sorted((a[0][0], a[1][0]))
    top, bottom = sorted((a[0][1], a[1][1]))
    for b in others:
        (x1, y1), (x2, y2) = b[0], b[1]
        if not (max(x1, x2) < left - 1 or min(x1, x2) > right + 1 or max(y1, y2) < top - 1
                or min(y1, y2) > bottom + 1):
            yield b


def together(a, b):
    """How much of a stretch is nearer to another than the width of a line."""
    (ax, ay), (bx, by) = a[0], a[1]
    long = math.dist(a[0], a[1]) or 1.0
    u, v = (bx - ax) / long, (by - ay) / long
    s, t = [((x - ax) * u + (y - ay) * v, (y - ay) * u - (x - ax) * v) for x, y in b[:2]]
    if s[0] == t[0]:
        return 0.0
    # b lies s[1] + slope * (x - s[0]) beside a
    slope = (t[1] - s[1]) / (t[0] - s[0])
    low, high = max(0.0, min(s[0], t[0])), min(long, max(s[0], t[0]))
    if slope == 0.0:
        return high - low if abs(s[1]) < WIDE else 0.0
    ends = sorted(s[0] + (d - s[1]) / slope for d in (-WIDE, WIDE))
    return min(high, ends[1]) - max(low, ends[0])
