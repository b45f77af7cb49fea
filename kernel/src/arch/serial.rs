//! The first serial port, where the kernel's log goes.
//!
//! Key function: [`write()`]. The port is at 0x3f8 on every PC (COM1).

use uart_16550::backend::PioBackend;
use uart_16550::{Config, Uart16550};

use super::lock::Lock;

const COM1: u16 = 0x3f8;

static PORT: Lock<Option<Uart16550<PioBackend>>> = Lock::new(None);

/// Sets the port up. Without one, [`write()`] says nothing.
pub fn init() {
    // SAFETY: 0x3f8 is COM1 on every PC, and nobody else in the kernel touches it.
    let Ok(mut port) = (unsafe { Uart16550::new_port(COM1) }) else {
        return;
    };
    if port.init(Config::default()).is_ok() {
        *PORT.lock() = Some(port);
    }
}

/// Writes all of `text`, waiting for the port.
pub fn write(text: &str) {
    if let Some(port) = PORT.lock().as_mut() {
        port.send_bytes_exact(text.as_bytes());
    }
}

/// Takes the port by force, for last words: whoever held it will never run again.
///
/// # Safety
/// The caller must never return to the code that may hold the port.
pub unsafe fn seize() {
    // SAFETY: the caller promises that the holder, if any, is gone for good.
    unsafe { PORT.seize() };
}
