//! Messages on the first serial port, and the way out.

use core::fmt::{self, Write};

use luge_boot_info::exit::{self, ExitCode};
use spin::Mutex;
use uart_16550::backend::PioBackend;
use uart_16550::{BaudRate, Config, Uart16550};
use x86_64::instructions::hlt;
use x86_64::instructions::port::Port;

/// COM1.
const SERIAL_PORT: u16 = 0x3f8;

static SERIAL: Mutex<Option<Serial>> = Mutex::new(None);

struct Serial(Uart16550<PioBackend>);

impl Serial {
    fn open() -> Option<Self> {
        // SAFETY: the port is COM1's, and the loader is all that runs.
        let mut uart = unsafe { Uart16550::new_port(SERIAL_PORT) }.ok()?;
        uart.init(Config {
            baud_rate: BaudRate::Baud115200,
            ..Config::DEFAULT
        })
        .ok()?;
        Some(Self(uart))
    }
}

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    self.0.send_bytes_exact(line.as_bytes());
                    self.0.send_bytes_exact(b"\r\n");
                }
                None => self.0.send_bytes_exact(line.as_bytes()),
            }
        }
        Ok(())
    }
}

/// Writes a line, if there is a serial port.
pub fn print(line: fmt::Arguments<'_>) {
    // A fault while a line is being written must not wait for that line to end.
    let Some(mut serial) = SERIAL.try_lock() else {
        if let Some(mut serial) = Serial::open() {
            let _ = writeln!(serial, "\nloader: {line}");
        }
        return;
    };
    if serial.is_none() {
        *serial = Serial::open();
    }
    if let Some(serial) = serial.as_mut() {
        // The port takes everything, so only a formatter can fail, and then the line is shorter.
        let _ = writeln!(serial, "loader: {line}");
    }
}

/// Writes a line that begins with `loader:`.
macro_rules! say {
    ($($part:tt)*) => { $crate::console::print(format_args!($($part)*)) };
}
pub(crate) use say;

/// Ends QEMU with `code`; on a machine without the exit device, stops for ever.
pub fn leave(code: ExitCode) -> ! {
    // SAFETY: the port is the exit device's or nobody's.
    unsafe { Port::<u32>::new(exit::PORT).write(u32::from(code.value())) };
    loop {
        x86_64::instructions::interrupts::disable();
        hlt();
    }
}
