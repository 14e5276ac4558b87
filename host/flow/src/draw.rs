//! Pictures of a graph: Mermaid text, and an SVG laid out in layers from the start.
//!
//! Not a general layout engine: layers are longest distances from the entry, order within a layer follows the parents' order.

use crate::dag::{Dag, DagNode, NodeType};
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

/// The graph as an SVG image.
pub(crate) fn svg(dag: &Dag) -> String {
    let places = layout(dag);
    let width = places.iter().map(|place| place.x.saturating_add(place.width / 2)).max().unwrap_or(0).saturating_add(GAP);
    let height = places.iter().map(|place| place.y.saturating_add(BOX_HEIGHT)).max().unwrap_or(0).saturating_add(GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"13\">\n<title>{}</title>\n<defs><marker id=\"a\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
         markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"#555\"/></marker></defs>\n",
        escape(dag.workflow_code())
    );
    for (index, ((from, to), conditions)) in arrows(dag).into_iter().enumerate() {
        if let (Some(from), Some(to)) = (places.get(from), places.get(to)) {
            arrow(&mut out, from, to, &conditions.join(", "), index);
        }
    }
    for (node, place) in dag.nodes().iter().zip(&places) {
        shape(&mut out, node, place);
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

fn shape(out: &mut String, node: &DagNode, place: &Place) {
    let (fill, radius) = match node.node_type() {
        NodeType::Intent => ("#e3f0ff", 22),
        NodeType::CapabilityContract => ("#f4f4f4", 4),
        NodeType::Exit => ("#e8f6e8", 22),
    };
    let left = place.x.saturating_sub(place.width / 2);
    let top = place.y.saturating_sub(BOX_HEIGHT / 2);
    let baseline = place.y.saturating_add(5);
    out.push_str(&format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{BOX_HEIGHT}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"#555\"/>\n\
         <text x=\"{}\" y=\"{baseline}\" text-anchor=\"middle\">{}</text>\n",
        place.width,
        place.x,
        escape(node.id())
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

fn layout(dag: &Dag) -> Vec<Place> {
    let layers = layers(dag);
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        rows.entry(*layer).or_default().push(index);
    }
    let mut places: Vec<Place> = dag
        .nodes()
        .iter()
        .zip(&layers)
        .map(|(node, layer)| Place {
            x: 0,
            y: layer.saturating_mul(LAYER_HEIGHT).saturating_add(GAP).saturating_add(BOX_HEIGHT / 2),
            width: node.id().chars().count().saturating_mul(CHARACTER_WIDTH).saturating_add(PADDING.saturating_mul(2)),
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

/// Safe in Mermaid labels and in XML text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('|', "&#124;")
}
