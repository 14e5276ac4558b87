//! Measures how deep type declarations nest, without recursion.
//!
//! The parser reads a component or instance type inside another by calling itself, once for every level that three bytes declare:
//! two megabytes of them would end the process. So the levels are counted here before the parser sees them.
use wasmparser::{BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef, CoreType, Result};

/// A component type and an instance type begin with these bytes (component model binary format, `componenttype`, `instancetype`).
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;

/// Whether the types of one type section nest at most `max` deep. `section` is its content, with the count in front.
pub(crate) fn within(section: &[u8], max: usize) -> Result<bool> {
    let mut from = BinaryReader::new(section, 0);
    // One element for each open level: how many declarations are left in it. The first level is the section itself.
    let mut open = vec![Level { left: from.read_var_u32()?, section: true }];
    while let Some(level) = open.last_mut() {
        let Some(left) = level.left.checked_sub(1) else {
            open.pop();
            continue;
        };
        level.left = left;
        let is_type = level.section || declares_type(&mut from)?;
        if !is_type {
            continue;
        }
        match section.get(from.original_position()) {
            Some(&(COMPONENT | INSTANCE)) => {
                from.read_u8()?;
                if open.len() > max {
                    return Ok(false);
                }
                open.push(Level { left: from.read_var_u32()?, section: false });
            }
            _ => {
                from.read::<ComponentType<'_>>()?;
            }
        }
    }
    Ok(true)
}

struct Level {
    left: u32,
    section: bool,
}

/// Reads one declaration; `true` when it is a type, of which only the tag has been read.
fn declares_type(from: &mut BinaryReader<'_>) -> Result<bool> {
    match from.read_u8()? {
        0x00 => from.read::<CoreType<'_>>().map(|_| false),
        0x01 => Ok(true),
        0x02 => from.read::<ComponentAlias<'_>>().map(|_| false),
        0x03 => from.read::<ComponentImport<'_>>().map(|_| false),
        0x04 => {
            from.read::<ComponentExternName<'_>>()?;
            from.read::<ComponentTypeRef>().map(|_| false)
        }
        // The parser words the refusal of an unknown tag; it stops at this byte and cannot recurse past it.
        _ => Ok(false),
    }
}
