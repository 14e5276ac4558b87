//! Pictures of a graph: Mermaid text, and an SVG laid out in layers from the start.
//!
//! Not a general layout engine: layers are distances from the entry, the longest of a graph without cycles and the shortest of a machine of
//! states; order within a layer follows the names.

use crate::dag::{Dag, NodeType};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Pixels between the centres of two layers: a box and room for the arrows with their labels.
const LAYER_HEIGHT: usize = 120;
/// Pixels of a box.
const BOX_HEIGHT: usize = 44;
/// Pixels of one character of the monospaced label.
const CHARACTER_WIDTH: usize = 8;
/// Pixels left and right of a label.
const PADDING: usize = 16;
/// Pixels between boxes and around the picture.
const GAP: usize = 40;
/// Pixels by which an arrow that does not lead down goes out to the side.
const BULGE: usize = 48;

/// The graph as a Mermaid flow chart. Parallel edges share one arrow.
pub(crate) fn mermaid(dag: &Dag) -> String {
    let mut out = String::from("flowchart TD\n");
    for (index, node) in dag.nodes().iter().enumerate() {
        let (open, close) = match node.node_type() {
            NodeType::Intent => ("([", "])"),
            NodeType::CapabilityContract => ("[", "]"),
            NodeType::Exit => ("((", "))"),
        };
        out.push_str(&format!("    n{index}{open}\"{}\"{close}\n", escape(node.id())));
    }
    for ((from, to), conditions) in arrows(dag) {
        out.push_str(&format!("    n{from} -->|{}| n{to}\n", escape(&conditions.join(", "))));
    }
    out
}

/// What is drawn: named boxes in layers, and arrows between their positions with what is said about them.
struct Picture<'a> {
    title: &'a str,
    boxes: Vec<(&'a str, Shape)>,
    layers: Vec<usize>,
    arrows: BTreeMap<(usize, usize), Vec<&'a str>>,
}

/// How a box looks.
#[derive(Clone, Copy)]
enum Shape {
    Start,
    Step,
    End,
}

/// The graph as an SVG image.
pub(crate) fn svg(dag: &Dag) -> String {
    let shape = |node_type| match node_type {
        NodeType::Intent => Shape::Start,
        NodeType::CapabilityContract => Shape::Step,
        NodeType::Exit => Shape::End,
    };
    let boxes = dag.nodes().iter().map(|node| (node.id(), shape(node.node_type()))).collect();
    image(&Picture { title: dag.workflow_code(), boxes, layers: layers(dag), arrows: arrows(dag) })
}

/// A machine of states as an SVG image: states with whether they are terminal; edges as state before (nothing for a creation), what is done,
/// and state after.
#[must_use]
pub fn states_svg<'a>(
    title: &'a str,
    states: impl IntoIterator<Item = (&'a str, bool)>,
    edges: impl IntoIterator<Item = (Option<&'a str>, &'a str, &'a str)>,
) -> String {
    let mut boxes = alloc::vec![(BIRTH, Shape::Start)];
    boxes.extend(states.into_iter().map(|(state, terminal)| (state, if terminal { Shape::End } else { Shape::Step })));
    // The first box is no state, whatever the states are called.
    let position: BTreeMap<&str, usize> = boxes.iter().enumerate().skip(1).map(|(index, (state, _))| (*state, index)).collect();
    let mut arrows: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    for (from, said, to) in edges {
        let from = from.map_or(Some(0), |from| position.get(from).copied());
        if let (Some(from), Some(to)) = (from, position.get(to)) {
            arrows.entry((from, *to)).or_default().push(said);
        }
    }
    let layers = shortest(boxes.len(), &arrows);
    image(&Picture { title, boxes, layers, arrows })
}

/// Where subjects come from.
const BIRTH: &str = "\u{2022}";

fn image(picture: &Picture<'_>) -> String {
    let places = layout(picture);
    let aside = |(&(from, to), said): (&(usize, usize), &Vec<&str>)| {
        let (from, to) = (places.get(from)?, places.get(to)?);
        let reach = from.x.max(to.x).saturating_add(from.width.max(to.width) / 2).saturating_add(BULGE);
        (to.y <= from.y).then(|| reach.saturating_add(said.join(", ").chars().count().saturating_mul(CHARACTER_WIDTH)))
    };
    let right = picture.arrows.iter().filter_map(aside);
    let width = places.iter().map(|place| place.x.saturating_add(place.width / 2)).chain(right).max().unwrap_or(0).saturating_add(GAP);
    let height = places.iter().map(|place| place.y.saturating_add(BOX_HEIGHT)).max().unwrap_or(0).saturating_add(GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"13\">\n<title>{}</title>\n<defs><marker id=\"a\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
         markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"#555\"/></marker></defs>\n",
        escape(picture.title)
    );
    for (index, ((from, to), conditions)) in picture.arrows.iter().enumerate() {
        match (places.get(*from), places.get(*to)) {
            (Some(from), Some(to)) if to.y > from.y => arrow(&mut out, from, to, &conditions.join(", "), index),
            (Some(from), Some(to)) => back(&mut out, from, to, &conditions.join(", ")),
            _ => {}
        }
    }
    for ((id, shape), place) in picture.boxes.iter().zip(&places) {
        draw_box(&mut out, id, *shape, place);
    }
    out.push_str("</svg>\n");
    out
}

/// The centre and the width of a box.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

fn draw_box(out: &mut String, id: &str, shape: Shape, place: &Place) {
    let (fill, radius) = match shape {
        Shape::Start => ("#e3f0ff", 22),
        Shape::Step => ("#f4f4f4", 4),
        Shape::End => ("#e8f6e8", 22),
    };
    let left = place.x.saturating_sub(place.width / 2);
    let top = place.y.saturating_sub(BOX_HEIGHT / 2);
    let baseline = place.y.saturating_add(5);
    out.push_str(&format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{BOX_HEIGHT}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"#555\"/>\n\
         <text x=\"{}\" y=\"{baseline}\" text-anchor=\"middle\">{}</text>\n",
        place.width,
        place.x,
        escape(id)
    ));
}

/// An arrow to the same layer or one above, or to its own box: around the right side.
fn back(out: &mut String, from: &Place, to: &Place, label: &str) {
    let (start, end) = (from.x.saturating_add(from.width / 2), to.x.saturating_add(to.width / 2));
    let side = start.max(end).saturating_add(BULGE);
    // A loop leaves and comes back at two heights of the box.
    let (low, high) = (from.y.saturating_add(8), to.y.saturating_sub(8));
    let middle = low.saturating_add(high) / 2;
    out.push_str(&format!(
        "<path d=\"M{start} {low}C{side} {low} {side} {high} {end} {high}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#a)\"/>\n\
         <text x=\"{side}\" y=\"{middle}\" font-size=\"11\" fill=\"#555\">{}</text>\n",
        escape(label)
    ));
}

fn arrow(out: &mut String, from: &Place, to: &Place, label: &str, index: usize) {
    let start = from.y.saturating_add(BOX_HEIGHT / 2);
    let end = to.y.saturating_sub(BOX_HEIGHT / 2);
    let bend = start.saturating_add(end) / 2;
    // Labels of neighbouring arrows would lie on each other; four heights keep them apart.
    let shift = (index % 4).saturating_mul(14);
    let (x, y) = (from.x.saturating_add(to.x) / 2, bend.saturating_sub(20).saturating_add(shift));
    out.push_str(&format!(
        "<path d=\"M{} {start}C{} {bend} {} {bend} {} {end}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#a)\"/>\n\
         <text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#555\">{}</text>\n",
        from.x,
        from.x,
        to.x,
        to.x,
        escape(label)
    ));
}

/// Positions of the ends → conditions, so that parallel edges become one arrow.
fn arrows(dag: &Dag) -> BTreeMap<(usize, usize), Vec<&str>> {
    let position: BTreeMap<&str, usize> = dag.nodes().iter().enumerate().map(|(index, node)| (node.id(), index)).collect();
    let mut arrows: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    for edge in dag.edges() {
        if let (Some(from), Some(to)) = (position.get(edge.from()), position.get(edge.to())) {
            arrows.entry((*from, *to)).or_default().push(edge.condition());
        }
    }
    arrows
}

fn layout(picture: &Picture<'_>) -> Vec<Place> {
    let layers = &picture.layers;
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        rows.entry(*layer).or_default().push(index);
    }
    let mut places: Vec<Place> = picture
        .boxes
        .iter()
        .zip(layers)
        .map(|((id, _), layer)| Place {
            x: 0,
            y: layer.saturating_mul(LAYER_HEIGHT).saturating_add(GAP).saturating_add(BOX_HEIGHT / 2),
            width: id.chars().count().saturating_mul(CHARACTER_WIDTH).saturating_add(PADDING.saturating_mul(2)),
        })
        .collect();
    let span = |row: &Vec<usize>| {
        row.iter().filter_map(|index| places.get(*index)).fold(GAP, |sum, place| sum.saturating_add(place.width).saturating_add(GAP))
    };
    let widest = rows.values().map(span).max().unwrap_or(0);
    let spans: Vec<usize> = rows.values().map(span).collect();
    for (row, span) in rows.values().zip(spans) {
        let mut x = widest.saturating_sub(span) / 2;
        for index in row {
            if let Some(place) = places.get_mut(*index) {
                x = x.saturating_add(GAP);
                place.x = x.saturating_add(place.width / 2);
                x = x.saturating_add(place.width);
            }
        }
    }
    places
}

/// The longest distance of every node from the entry; bounded by the number of nodes, so a cycle could not hang it.
fn layers(dag: &Dag) -> Vec<usize> {
    let mut layers = alloc::vec![0; dag.nodes().len()];
    let arrows = arrows(dag);
    for _ in 0..dag.nodes().len() {
        let mut changed = false;
        for (from, to) in arrows.keys() {
            let below = layers.get(*from).copied().unwrap_or(0usize).saturating_add(1);
            if let Some(layer) = layers.get_mut(*to)
                && *layer < below
            {
                *layer = below;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

/// The shortest distance of every box from the first; what nothing leads to stands beside it.
fn shortest(count: usize, arrows: &BTreeMap<(usize, usize), Vec<&str>>) -> Vec<usize> {
    let mut layers = alloc::vec![0; count];
    let (mut reached, mut layer) = (alloc::vec![0_usize], 0_usize);
    while !reached.is_empty() {
        layer = layer.saturating_add(1);
        let leads = |to: usize| arrows.keys().any(|(from, other)| *other == to && reached.contains(from));
        let next: Vec<usize> = (1..count).filter(|to| layers.get(*to) == Some(&0) && leads(*to)).collect();
        for to in &next {
            if let Some(slot) = layers.get_mut(*to) {
                *slot = layer;
            }
        }
        reached = next;
    }
    layers
}

/// Safe in Mermaid labels and in XML text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('|', "&#124;")
}
